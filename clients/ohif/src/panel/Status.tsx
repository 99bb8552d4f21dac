import { h } from '../react';
import type { RunState } from '../run';
import type { Session } from '../session';
import { Findings } from './Findings';
import { useElapsed, useStore } from './hooks';
import { durationText, queueText, stageText } from './words';

/** How far the run is, and what it found. */
export function Status({ session }: { session: Session }) {
  const state = useStore(session.run.state);
  const result = state.kind === 'done' || state.kind === 'failed' ? state.result : undefined;
  return (
    <div data-cy="spinefx-state" data-state={state.kind}>
      {/* Always there, so that a screen reader hears the change; without the seconds, or it would never stop. */}
      <p role="status" aria-live="polite" className="spinefx-status" data-cy="spinefx-status">
        {sentence(state)}
      </p>
      {(state.kind === 'running' || state.kind === 'queued') && <Bar state={state} />}
      {state.kind === 'failed' && <Failed state={state} />}
      {state.kind === 'done' && state.overlayFailure && (
        <p className="spinefx-error">
          The mask is in the archive, but could not be shown: {state.overlayFailure}.
        </p>
      )}
      {result && 'order' in state && <Findings session={session} order={state.order} result={result} />}
    </div>
  );
}

function sentence(state: RunState): string {
  switch (state.kind) {
    case 'idle':
      return '';
    case 'queued':
      return queueText(state.place);
    case 'running':
      return state.showing ? 'Loading the mask' : stageText(state.progress);
    case 'cancelled':
      return 'Cancelled.';
    case 'failed':
      return 'Failed.';
    case 'done': {
      const { length } = state.result.findings;
      const found = length === 0 ? 'No finding' : length === 1 ? '1 finding' : `${length} findings`;
      return `${found}, after ${durationText(state.seconds)}.`;
    }
  }
}

function Bar({ state }: { state: RunState & { kind: 'running' | 'queued' } }) {
  const elapsed = useElapsed(state.startedAt);
  const progress = state.kind === 'running' && !state.showing ? state.progress : undefined;
  // Without a total the bar has no value: "indeterminate" to a screen reader.
  const percent = progress && progress.total > 0n ? Math.round(progress.fraction * 100) : undefined;
  return (
    <div>
      <div
        role="progressbar"
        className="spinefx-bar"
        aria-label="Progress of this step"
        aria-valuemin={0}
        aria-valuemax={100}
        {...(percent === undefined ? {} : { 'aria-valuenow': percent })}
      >
        <div style={{ width: `${percent ?? 100}%` }} />
      </div>
      <p className="spinefx-quiet" data-cy="spinefx-elapsed">
        {percent === undefined ? '' : `${percent} % · `}
        {durationText(elapsed)}
      </p>
    </div>
  );
}

function Failed({ state }: { state: RunState & { kind: 'failed' } }) {
  return (
    <div className="spinefx-error" role="alert" data-cy="spinefx-failure">
      <p>{state.failure.message}</p>
      <p className="spinefx-quiet">{state.failure.reason}</p>
    </div>
  );
}
