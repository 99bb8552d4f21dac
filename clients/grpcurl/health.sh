#!/usr/bin/env bash
# Whether the server is ready.
grpcurl -plaintext -d '{"service": "segplugin.v1.SegmentationPluginService"}' \
  "${SPINEFX:-localhost:50051}" grpc.health.v1.Health/Check
