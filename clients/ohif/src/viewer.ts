import type { ShownSlice } from './check';
import { absolute, type Config } from './config';
import type { Point } from './geometry';
import type { Context, DataSource, DisplaySet, Services } from './ohif';

/** The series that the active viewport shows. */
export interface ActiveSeries {
  displaySetUid: string;
  studyUid: string;
  seriesUid: string;
  modality: string;
  description: string;
}

/** All that is asked of OHIF. */
export class Viewer {
  readonly #services: Services;
  readonly #context: Context;

  constructor(context: Context) {
    this.#services = context.servicesManager.services;
    this.#context = context;
  }

  /** The image series of the active viewport, not what lies over it; undefined while there is none. */
  activeSeries(): ActiveSeries | undefined {
    const { activeViewportId, viewports } = this.#services.viewportGridService.getState();
    const shown = this.#displaySets(viewports.get(activeViewportId ?? '')?.displaySetInstanceUIDs);
    const found = shown.find((set) => !set.isOverlayDisplaySet) ?? shown[0];
    return (
      found && {
        displaySetUid: found.displaySetInstanceUID,
        studyUid: found.StudyInstanceUID,
        seriesUid: found.SeriesInstanceUID,
        modality: found.Modality,
        description: found.SeriesDescription ?? '',
      }
    );
  }

  /** Calls `watcher` whenever another series may be active, until the returned function is called. */
  watchActiveSeries(watcher: () => void): () => void {
    const { viewportGridService: grid, displaySetService: sets } = this.#services;
    const subscriptions = [
      grid.subscribe(grid.EVENTS.ACTIVE_VIEWPORT_ID_CHANGED ?? '', watcher),
      grid.subscribe(grid.EVENTS.GRID_STATE_CHANGED ?? '', watcher),
      sets.subscribe(sets.EVENTS.DISPLAY_SETS_ADDED ?? '', watcher),
    ];
    return () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    };
  }

  /** Root of the archive that the viewer shows, as the server is to reach it; undefined without one. */
  archiveRoot(config: Config): string | undefined {
    try {
      const { wadoRoot, qidoRoot } = this.#dataSource().getConfig();
      return absolute(config.archiveRoot ?? wadoRoot ?? qidoRoot ?? 'none:');
    } catch {
      return undefined;
    }
  }

  /** The Authorization header that the viewer itself sends to the archive; empty without one. */
  authorization(): string {
    return this.#headers().Authorization ?? '';
  }

  openPanel(id: string): void {
    this.#services.panelService.activatePanel(id, true);
  }

  /** Positions of a display set's images, in the order in which the viewer counts them. */
  positions(displaySetUid: string): (Point | undefined)[] {
    const set = this.#services.displaySetService.getDisplaySetByUID(displaySetUid);
    return (set?.instances ?? []).map((instance) => instance.ImagePositionPatient);
  }

  /** Identifiers of the viewports that show a display set: one in a stack, three in MPR. */
  viewportsOf(displaySetUid: string): string[] {
    const { viewports } = this.#services.viewportGridService.getState();
    return [...viewports]
      .filter(([, viewport]) => viewport.displaySetInstanceUIDs?.includes(displaySetUid))
      .map(([id]) => id);
  }

  /** Moves every viewport of a display set to a point. Returns whether there was one. */
  jump(displaySetUid: string, point: Point): boolean {
    const viewports = this.viewportsOf(displaySetUid)
      .map((id) => this.#services.cornerstoneViewportService.getCornerstoneViewport(id))
      .filter((viewport) => viewport != null);
    for (const viewport of viewports) {
      if (viewport.jumpToWorld) viewport.jumpToWorld([...point]);
      else viewport.setViewReference?.({ cameraFocalPoint: [...point] });
      viewport.render();
    }
    return viewports.length > 0;
  }

  /** The SEG series as a loaded display set, fetched anew where the viewer does not have it yet. */
  async loadSegmentation(studyUid: string, seriesUid: string): Promise<DisplaySet> {
    const sets = this.#services.displaySetService;
    const find = () => sets.getDisplaySetsForSeries(seriesUid)?.[0];
    if (!find()) {
      const source = this.#dataSource();
      // OHIF remembers a study's series by this key, although its own callers pass the bare UID.
      source.deleteStudyMetadataPromise(`${source.getConfig().name}:${studyUid}`);
      const filters = { seriesInstanceUID: [seriesUid] };
      await source.retrieve.series.metadata({ StudyInstanceUID: studyUid, filters });
    }
    const set = await until(find, 'the viewer did not take the segmentation up');
    await set.load?.({ headers: this.#headers() });
    return set;
  }

  /** The slices of a loaded segmentation, from the viewer's memory; undefined where it does not give them out. */
  slices(segmentation: DisplaySet): ShownSlice[] | undefined {
    const libraries = this.#context.extensionManager.getModuleEntry(CORNERSTONE)?.exports;
    const cornerstone = libraries?.getCornerstoneLibraries().cornerstone;
    const service = this.#services.segmentationService;
    const held = service.getSegmentation(segmentation.displaySetInstanceUID)?.representationData.Labelmap;
    if (!cornerstone || !held?.imageIds) return undefined;
    const slices = held.imageIds.map((imageId) => {
      const image = cornerstone.cache.getImage(imageId);
      const plane = cornerstone.metaData.get('imagePlaneModule', image?.referencedImageId ?? imageId);
      return (
        image &&
        plane && {
          position: plane.imagePositionPatient,
          alongRow: plane.rowCosines,
          downColumn: plane.columnCosines,
          spacingMm: [plane.columnPixelSpacing, plane.rowPixelSpacing] as const,
          columns: plane.columns,
          voxels: image.voxelManager.getScalarData(),
        }
      );
    });
    return slices.every((slice) => slice !== undefined) ? slices : undefined;
  }

  /** Lays a loaded segmentation over every viewport that shows the source. */
  async overlay(segmentation: DisplaySet, sourceUid: string): Promise<void> {
    const segmentationId = segmentation.displaySetInstanceUID;
    const service = this.#services.segmentationService;
    for (const viewportId of this.viewportsOf(sourceUid)) {
      const there = () => service.getSegmentationRepresentations(viewportId, { segmentationId }).length > 0;
      if (there()) continue;
      await service.addSegmentationRepresentation(viewportId, { segmentationId, type: 'Labelmap' });
      await until(() => there() || undefined, 'the viewer did not show the segmentation');
    }
  }

  /** Takes a segmentation off all viewports of the source; it stays in the list of series. */
  hide(segmentationId: string, sourceUid: string): void {
    const service = this.#services.segmentationService;
    for (const viewportId of this.viewportsOf(sourceUid)) {
      if (service.getSegmentationRepresentations(viewportId, { segmentationId }).length === 0) continue;
      service.removeSegmentationRepresentations(viewportId, { segmentationId });
    }
  }

  #displaySets(uids: string[] = []): DisplaySet[] {
    return uids
      .map((uid) => this.#services.displaySetService.getDisplaySetByUID(uid))
      .filter((set) => set !== undefined);
  }

  #dataSource(): DataSource {
    const source = this.#context.extensionManager.getActiveDataSource()[0];
    if (!source) throw new Error('The viewer has no data source.');
    return source;
  }

  #headers(): Record<string, string> {
    return this.#services.userAuthenticationService.getAuthorizationHeader() ?? {};
  }
}

const CORNERSTONE = '@ohif/extension-cornerstone.utilityModule.common';

const PATIENCE_MS = 20_000;

/** Waits until `find` finds something. OHIF has no event that comes after all of its own listeners. */
async function until<T>(find: () => T | undefined, failure: string): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(failure);
}
