#!/usr/bin/env bash
# Measures the built-in model and keeps the figures in docs/performance.md. Called by `make bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/unpack-s01.sh demo-out/s01
cargo bench --bench end_to_end >docs/performance.md.part
if [ -d .tools/ohif ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cts=()
  [ ! -d demo-out/s01 ] || cts=("S01=$(dirname "$(find "$PWD/demo-out/s01" -name '*.dcm' -print -quit)")")
  (cd clients/ohif && node build.mjs && SPINEFX_FIXTURES=$work/fixtures node bench/overlay.mjs "${cts[@]}") \
    >>docs/performance.md.part
else
  echo "no OHIF here (make test-ohif installs it): the overlay is left out" >&2
fi
mv docs/performance.md.part docs/performance.md
cat docs/performance.md
