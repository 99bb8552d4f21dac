# To be sourced: the published versions of the OHIF viewer that are tested, and the one of the demo.
OHIF_VERSIONS=(3.12.10 3.13.2)
OHIF_DEMO=3.13.2
