// Configuration of OHIF 3.12 and 3.13 with the SpineFx panel: viewer, archive and spinefx behind one origin.
// The parts between >>> and <<< are all that an existing app-config.js needs.
window.config = {
  routerBasename: null,
  showStudyList: true,
  maxNumberOfWebWorkers: 3,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  investigationalUseDialog: { option: 'never' },
  customizationService: { 'ohif.tours': { $set: [] } },
  modes: [],

  // >>> SpineFx
  extensions: ['/ext/spinefx.js'],
  modesConfiguration: {
    '@ohif/mode-longitudinal': {
      routes: {
        0: {
          layoutInstance: {
            props: {
              rightPanels: { $push: ['@spinefx/ohif.panelModule.spinefx'] },
              rightPanelClosed: { $set: false },
            },
          },
        },
      },
      toolbarButtons: {
        $push: [
          {
            id: 'SpineFx',
            uiType: 'ohif.toolButton',
            props: {
              icon: 'tool-segment-label',
              label: 'SpineFx',
              tooltip: 'Spine fractures: open the panel',
              commands: 'spinefx.openPanel',
              evaluate: 'evaluate.action',
            },
          },
        ],
      },
      // An array of sections in 3.13, an object in 3.12.
      toolbarSections: {
        $apply: (sections) =>
          Array.isArray(sections)
            ? [...sections, { secondary: ['SpineFx'] }]
            : { ...sections, primary: [...sections.primary, 'SpineFx'] },
      },
    },
  },
  // All optional. server: address of spinefx, or a path here; archiveRoot: the DICOMweb root as the *server*
  // reaches it; token: a bearer token for spinefx, readable by everybody who can open this page.
  spinefx: {},
  // <<< SpineFx

  defaultDataSourceName: 'archive',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'archive',
      configuration: {
        friendlyName: 'Archive',
        name: 'archive',
        wadoUriRoot: '/wado',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        qidoSupportsIncludeField: false,
        supportsReject: false,
        supportsStow: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        dicomUploadEnabled: true,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true },
      },
    },
  ],
};
