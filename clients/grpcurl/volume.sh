#!/usr/bin/env bash
# A raw volume of 16³ voxels (volume.json): accepted, progress, result, the mask in base64, completed.
grpcurl -plaintext -d @ "${SPINEFX:-localhost:50051}" \
  segplugin.v1.SegmentationPluginService/SegmentVolume <"$(dirname "$0")/volume.json"
