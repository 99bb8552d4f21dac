#!/usr/bin/env bash
# A series of a DICOMweb archive (series.json): fetched, segmented and stored by the server, which has to be started
# with --archive http://localhost:8042/dicom-web; without, it refuses.
grpcurl -plaintext -d @ "${SPINEFX:-localhost:50051}" \
  segplugin.v1.SegmentationPluginService/SegmentSeries <"$(dirname "$0")/series.json"
