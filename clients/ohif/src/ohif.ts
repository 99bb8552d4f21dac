/** The parts of OHIF 3.12 and 3.13 that are used here; OHIF publishes no types for extensions at run time. */

export interface Subscription {
  unsubscribe(): void;
}

export interface PubSub {
  EVENTS: Record<string, string>;
  subscribe(event: string, callback: (event: unknown) => void): Subscription;
}

export interface Instance {
  ImagePositionPatient?: number[];
}

export interface DisplaySet {
  displaySetInstanceUID: string;
  StudyInstanceUID: string;
  SeriesInstanceUID: string;
  SeriesDescription?: string;
  Modality: string;
  isOverlayDisplaySet?: boolean;
  instances?: Instance[];
  load?(options: { headers: Record<string, string> }): Promise<unknown>;
}

export interface GridViewport {
  displaySetInstanceUIDs?: string[];
}

/** A viewport of cornerstone: jumpToWorld where it is a stack or volume viewport, the other where native. */
export interface CornerstoneViewport {
  jumpToWorld?(world: number[]): unknown;
  setViewReference?(reference: { cameraFocalPoint: number[] }): void;
  render(): void;
}

export interface Services {
  viewportGridService: PubSub & {
    getState(): { activeViewportId: string | null; viewports: Map<string, GridViewport> };
  };
  displaySetService: PubSub & {
    getDisplaySetByUID(uid: string): DisplaySet | undefined;
    getDisplaySetsForSeries(uid: string): DisplaySet[] | undefined;
  };
  segmentationService: PubSub & {
    addSegmentationRepresentation(
      viewportId: string,
      options: { segmentationId: string; type: string },
    ): Promise<void>;
    getSegmentationRepresentations(viewportId: string, filter: { segmentationId: string }): unknown[];
    removeSegmentationRepresentations(viewportId: string, filter: { segmentationId: string }): void;
    getSegmentation(
      segmentationId: string,
    ): { representationData: { Labelmap?: { imageIds?: string[] } } } | undefined;
  };
  cornerstoneViewportService: {
    getCornerstoneViewport(viewportId: string): CornerstoneViewport | null | undefined;
  };
  panelService: { activatePanel(panelId: string, forceActive?: boolean): void };
  userAuthenticationService: { getAuthorizationHeader(): Record<string, string> | undefined };
}

export interface DataSource {
  getConfig(): { name?: string; qidoRoot?: string; wadoRoot?: string };
  deleteStudyMetadataPromise(key: string): void;
  retrieve: {
    series: {
      metadata(query: {
        StudyInstanceUID: string;
        filters: { seriesInstanceUID: string[] };
      }): Promise<unknown>;
    };
  };
}

/** A plane of cornerstone's, mm LPS. */
export interface ImagePlane {
  imagePositionPatient: number[];
  rowCosines: number[];
  columnCosines: number[];
  columnPixelSpacing: number;
  rowPixelSpacing: number;
  columns: number;
}

/** Cornerstone, as OHIF's own extension for it hands it out. */
export interface Cornerstone {
  cache: {
    getImage(
      imageId: string,
    ): { referencedImageId?: string; voxelManager: { getScalarData(): ArrayLike<number> } } | undefined;
  };
  metaData: { get(type: 'imagePlaneModule', imageId: string): ImagePlane | undefined };
}

/** What OHIF gives to an extension's hooks and modules. */
export interface Context {
  servicesManager: { services: Services };
  extensionManager: {
    getActiveDataSource(): DataSource[];
    getModuleEntry(
      name: string,
    ): { exports: { getCornerstoneLibraries(): { cornerstone: Cornerstone } } } | undefined;
  };
  appConfig?: Record<string, unknown>;
}
