#!/usr/bin/env bash
# Starts a server and runs every request of this folder with the real grpcurl, checking the answers.
#
#   clients/grpcurl/run.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
command -v grpcurl >/dev/null || { echo "grpcurl is missing: run scripts/setup.sh --test" >&2; exit 1; }

. ../../scripts/start-server.sh
log=$(mktemp)
start_server "$program" "$log"
rm -f "$log"
export SPINEFX=$address

passed=0
expect() { # name, wanted exit status (0 or 1 for any failure), patterns that the answer must hold
  local name=$1 wanted=$2 answer status=0
  shift 2
  answer=$(./"$name.sh" 2>&1) || status=1
  for pattern in "$@"; do
    if [ "$status" -ne "$wanted" ] || ! grep -qE "$pattern" <<<"$answer"; then
      printf '%s: no /%s/ (status %s) in:\n%s\n' "$name" "$pattern" "$status" "$answer" >&2
      exit 1
    fi
  done
  passed=$((passed + 1))
}

expect list 0 '^segplugin\.v1\.SegmentationPluginService$' '^grpc\.health\.v1\.Health$' '^grpc\.reflection\.v1\.ServerReflection$'
expect health 0 '"status": "SERVING"'
expect manifest 0 '"protocol": "segplugin.v1"' '"msff-lite"' '"weightsSha256": "[0-9a-f]{64}"'
expect error 1 'InvalidArgument' '"?reason"?: ?"?[A-Z_]+' 'spinefx'
# The server of this run was told of no archive.
expect series 1 'PermissionDenied' 'ARCHIVE_NOT_ALLOWED'
# After an error the same process still answers, and the mask has a byte for each of the 16³ voxels.
expect volume 0 '"accepted"' '"mask\.raw"' '"byteCount": "4096"' '"completed"'
kill -0 "$server"
echo "grpcurl: $passed passed, 0 failed"
