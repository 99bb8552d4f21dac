#!/usr/bin/env bash
# A volume with fewer bytes than its grid needs: INVALID_ARGUMENT with the reason and its numbers.
grpcurl -plaintext -d @ "${SPINEFX:-localhost:50051}" \
  segplugin.v1.SegmentationPluginService/SegmentVolume <"$(dirname "$0")/wrong-size.json"
