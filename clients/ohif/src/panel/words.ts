import { type Finding, type Progress, Stage } from '../gen/segplugin/v1/segmentation_plugin_pb';

const STAGES: Record<Stage, string> = {
  [Stage.UNSPECIFIED]: 'Working',
  [Stage.QUEUED]: 'Waiting',
  [Stage.FETCH]: 'Fetching the series',
  [Stage.DECODE]: 'Reading the images',
  [Stage.PREPROCESS]: 'Preparing the volume',
  [Stage.INFER]: 'Running the model',
  [Stage.POSTPROCESS]: 'Collecting findings',
  [Stage.ENCODE]: 'Writing the mask',
  [Stage.STORE]: 'Storing the mask',
};

/** What is being done, for people. */
export function stageText(progress: Progress | undefined): string {
  if (!progress) return 'Sending the request';
  return STAGES[progress.stage] ?? 'Working';
}

/** Which place in the queue, for people. */
export function queueText(place: number): string {
  return place === 1
    ? 'Queued: one request is before this one'
    : `Queued: ${place} requests are before this one`;
}

export function volumeText(finding: Finding): string {
  return `${(finding.volumeMm3 / 1000).toFixed(2)} cm³`;
}

export function probabilityText(finding: Finding): string {
  return `${Math.round(finding.meanProbability * 100)} %`;
}

/** Where a finding is: its slice as the viewer counts, or its height where that is not known. */
export function placeText(finding: Finding, slice: number | undefined): string {
  if (slice !== undefined) return `slice ${slice}`;
  return `S ${(finding.centroidLps[2] ?? 0).toFixed(0)} mm`;
}

export function durationText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const rest = Math.floor(seconds % 60);
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}
