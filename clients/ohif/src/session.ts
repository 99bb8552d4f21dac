import { isMaskOf } from './check';
import type { Config } from './config';
import type { Finding, Result, Stored } from './gen/segplugin/v1/segmentation_plugin_pb';
import { nearestImage, pointOf } from './geometry';
import type { Context } from './ohif';
import { type Order, Run } from './run';
import { Server } from './server';
import { type ActiveSeries, Viewer } from './viewer';

/** What a user may set for a run. */
export interface Choices {
  model: string;
  threshold: number | undefined;
  resampleUneven: boolean;
}

/** What the panel, the toolbar and the commands of one page share. */
export class Session {
  readonly viewer: Viewer;
  readonly server: Server;
  readonly run: Run;
  /** Kept here, since the panel goes away whenever another one is opened. */
  choices: Choices = { model: '', threshold: undefined, resampleUneven: false };
  readonly #config: Config;
  /** The segmentation shown last, for each source. */
  readonly #shown = new Map<string, string>();

  constructor(context: Context) {
    this.#config = (context.appConfig?.spinefx ?? {}) as Config;
    this.viewer = new Viewer(context);
    this.server = new Server(this.#config);
    this.run = new Run((order, stored, result) => this.#show(order, stored, result));
  }

  /** Why the active series cannot be segmented now; undefined when it can. */
  obstacle(series: ActiveSeries | undefined): string | undefined {
    const state = this.server.state.get();
    if (state.kind === 'connecting') return 'Waiting for the server.';
    if (state.kind === 'absent') return 'There is no server.';
    if (!series) return 'No series is open in the active viewport.';
    const wanted = state.manifest.input?.modality || 'CT';
    if (series.modality !== wanted) {
      return `The active viewport shows ${series.modality || 'something else'}. Only ${wanted} can be segmented.`;
    }
    if (this.viewer.archiveRoot(this.#config)) return undefined;
    return 'This study comes from no DICOMweb archive that the server could ask.';
  }

  /** Goes to another server, or asks the same again. What is under way ends: its Cancel would be gone. */
  async connect(address?: string): Promise<void> {
    this.run.cancel();
    await this.server.connect(address);
  }

  /** Segments the active series, where that is possible. */
  async start(): Promise<void> {
    const state = this.server.state.get();
    const series = this.viewer.activeSeries();
    const archiveRoot = this.viewer.archiveRoot(this.#config);
    if (state.kind !== 'ready' || !series || !archiveRoot || this.obstacle(series)) return;
    const authorization = this.viewer.authorization();
    // A model that was chosen at another server is not asked for here.
    const model = state.manifest.models.some(({ name }) => name === this.choices.model)
      ? this.choices.model
      : '';
    const order: Order = { ...this.choices, model, plugin: state.plugin, series, archiveRoot, authorization };
    await this.run.start(order);
  }

  /** Shows a finding of a run. Returns whether the series is on the screen. */
  jump(order: Order, result: Result, finding: Finding): boolean {
    if (!result.grid) return false;
    return this.viewer.jump(order.series.displaySetUid, pointOf(finding, result.grid));
  }

  /** The number, from 1, that the viewer gives to a finding's slice. */
  sliceNumber(order: Order, result: Result, finding: Finding): number | undefined {
    if (!result.grid) return undefined;
    const positions = this.viewer.positions(order.series.displaySetUid);
    const index = nearestImage(pointOf(finding, result.grid), result.grid, positions);
    return index === undefined ? undefined : index + 1;
  }

  /** The study is left: nothing goes on. */
  leave(): void {
    this.run.reset();
    this.server.leave();
    this.#shown.clear();
  }

  async #show(order: Order, stored: Stored, result: Result): Promise<void> {
    const source = order.series.displaySetUid;
    const segmentation = await this.viewer.loadSegmentation(stored.studyUid, stored.seriesUid);
    const before = this.#shown.get(source);
    const slices = this.viewer.slices(segmentation);
    const isRight = !slices || isMaskOf(result, slices);
    // No earlier mask may stand beside the findings of this run.
    if (before && !(isRight && before === segmentation.displaySetInstanceUID))
      this.viewer.hide(before, source);
    if (!isRight) throw new Error('this viewer reads it in another shape than the server stored it');
    await this.viewer.overlay(segmentation, source);
    this.#shown.set(source, segmentation.displaySetInstanceUID);
    const largest = result.findings[0];
    if (largest) this.jump(order, result, largest);
  }
}
