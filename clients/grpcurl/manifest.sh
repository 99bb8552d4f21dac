#!/usr/bin/env bash
# What the plugin is, takes and gives.
grpcurl -plaintext "${SPINEFX:-localhost:50051}" segplugin.v1.SegmentationPluginService/GetManifest
