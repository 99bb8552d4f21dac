import type { Plugin } from './connection';
import { type Failure, failureOf } from './failure';
import {
  type Progress,
  type Result,
  type SegmentSeriesResponse,
  Stage,
  type Stored,
} from './gen/segplugin/v1/segmentation_plugin_pb';
import { Store } from './store';
import type { ActiveSeries } from './viewer';

/** What a run needs to know. */
export interface Order {
  plugin: Plugin;
  series: ActiveSeries;
  archiveRoot: string;
  authorization: string;
  /** Model.name. */
  model: string;
  /** Absent: the model's own. */
  threshold: number | undefined;
  resampleUneven: boolean;
}

/** How far a run is. `queued` and `running` are under way, the last three are ends. */
export type RunState =
  | { kind: 'idle' }
  | { kind: 'queued'; order: Order; startedAt: number; place: number }
  | { kind: 'running'; order: Order; startedAt: number; progress: Progress | undefined; showing: boolean }
  | { kind: 'cancelled' }
  | { kind: 'done'; order: Order; result: Result; seconds: number; overlayFailure: string | undefined }
  | { kind: 'failed'; order: Order; failure: Failure; result: Result | undefined };

/** Brings what was stored into the viewer. */
export type Show = (order: Order, stored: Stored, result: Result) => Promise<void>;

/** The server sends progress every second; this long without an event it is taken for dead. */
const SILENCE_MS = 30_000;

/** How often progress within a stage is told. A browser that draws in software takes its time from the model's. */
const TELL_MS = 500;

/** One run at a time: from the order to its end. Knows nothing of the panel. */
export class Run {
  readonly state = new Store<RunState>({ kind: 'idle' });
  readonly #show: Show;
  readonly #silenceMs: number;
  #abort: AbortController | undefined;

  constructor(show: Show, silenceMs = SILENCE_MS) {
    this.#show = show;
    this.#silenceMs = silenceMs;
  }

  get busy(): boolean {
    return this.#abort !== undefined;
  }

  /** Starts, unless a run is under way. Never throws: every end is a state. */
  async start(order: Order): Promise<void> {
    if (this.busy) return;
    const abort = new AbortController();
    this.#abort = abort;
    const attempt = new Attempt(order, abort, this.#silenceMs, (state) => {
      if (this.#abort === abort) this.state.set(state);
    });
    const end = await attempt.follow(this.#show);
    if (this.#abort !== abort) return;
    this.#abort = undefined;
    this.state.set(end);
  }

  /** Ends what is under way, here and on the server. */
  cancel(): void {
    if (!this.#abort) return;
    this.#abort.abort();
    this.#abort = undefined;
    this.state.set({ kind: 'cancelled' });
  }

  /** Cancels and forgets, when the study is left. */
  reset(): void {
    this.cancel();
    this.state.set({ kind: 'idle' });
  }
}

/** The events of one call, in their order. */
class Attempt {
  readonly #order: Order;
  readonly #abort: AbortController;
  readonly #silenceMs: number;
  readonly #tell: (state: RunState) => void;
  readonly #startedAt = performance.now();
  #silent = false;
  #stage: Stage | undefined;
  #toldAt = 0;
  #result: Result | undefined;
  #stored: Stored | undefined;
  #completed = false;

  constructor(order: Order, abort: AbortController, silenceMs: number, tell: (state: RunState) => void) {
    this.#order = order;
    this.#abort = abort;
    this.#silenceMs = silenceMs;
    this.#tell = tell;
  }

  async follow(show: Show): Promise<RunState> {
    this.#running(undefined);
    try {
      await this.#listen();
    } catch (cause) {
      return this.#failed(this.#silent ? silence(this.#silenceMs) : failureOf(cause));
    }
    if (!this.#result || !this.#completed) return this.#failed(cutOff());
    const result = this.#result;
    const overlayFailure = await this.#bringIn(show, result);
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return { kind: 'done', order: this.#order, result, seconds, overlayFailure };
  }

  async #listen(): Promise<void> {
    let timer = this.#watch();
    try {
      for await (const event of this.#call()) {
        clearTimeout(timer);
        timer = this.#watch();
        this.#take(event);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #call(): AsyncIterable<SegmentSeriesResponse> {
    const { plugin, series, archiveRoot, authorization, model, threshold, resampleUneven } = this.#order;
    const { studyUid, seriesUid } = series;
    const request = {
      model,
      source: { root: archiveRoot, studyUid, seriesUid, authorization },
      options: { resampleUneven, ...(threshold === undefined ? {} : { threshold }) },
    };
    return plugin.segmentSeries(request, { signal: this.#abort.signal });
  }

  #take({ event }: SegmentSeriesResponse): void {
    if (event.case === 'accepted' && event.value.queuePlace > 0) this.#queued(event.value.queuePlace);
    else if (event.case === 'progress') this.#progress(event.value);
    else if (event.case === 'result') this.#result = event.value;
    else if (event.case === 'stored') this.#stored = event.value;
    else if (event.case === 'completed') this.#completed = true;
  }

  #progress(progress: Progress): void {
    const now = performance.now();
    if (progress.stage === this.#stage && now - this.#toldAt < TELL_MS) return;
    this.#stage = progress.stage;
    this.#toldAt = now;
    if (progress.stage === Stage.QUEUED && progress.queuePlace > 0) this.#queued(progress.queuePlace);
    else this.#running(progress);
  }

  #queued(place: number): void {
    this.#tell({ kind: 'queued', order: this.#order, startedAt: this.#startedAt, place });
  }

  #running(progress: Progress | undefined, showing = false): void {
    this.#tell({ kind: 'running', order: this.#order, startedAt: this.#startedAt, progress, showing });
  }

  #failed(failure: Failure): RunState {
    return { kind: 'failed', order: this.#order, failure, result: this.#result };
  }

  /** A viewer that cannot show the mask does not undo the run. Returns what it said. */
  async #bringIn(show: Show, result: Result): Promise<string | undefined> {
    if (!this.#stored || result.findings.length === 0) return undefined;
    this.#running(undefined, true);
    try {
      await show(this.#order, this.#stored, result);
      return undefined;
    } catch (cause) {
      return wordsOf(cause);
    }
  }

  #watch(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#silent = true;
      this.#abort.abort();
    }, this.#silenceMs);
  }
}

/** What the viewer threw; where the archive refused it something, that is the bare request. */
function wordsOf(cause: unknown): string {
  if (cause instanceof Error) return cause.message;
  const status = (cause as { status?: unknown } | undefined)?.status;
  return status === undefined ? String(cause) : `the archive answered the viewer with HTTP ${status}`;
}

function silence(ms: number): Failure {
  const message = `The server has said nothing for ${ms / 1000} s.`;
  return { message, reason: 'SILENCE', unreachable: true };
}

function cutOff(): Failure {
  const message = 'The server ended the call before the work was done.';
  return { message, reason: 'CUT_OFF', unreachable: true };
}
