#!/usr/bin/env bash
# Measures the built-in model and keeps the figures in docs/performance.md. Called by `make bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/spinefx}")
scripts/unpack-s01.sh demo-out/s01
cargo bench --bench end_to_end >docs/performance.md.part
if [ -d .tools/ohif ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  "$program" phantom --seed 20261 --first 9 --prevalence 1 --spacing 1.44,1.44,4 --format dicom -o "$work"
  cts=("generated spine=$(echo "$work"/phantom-*/dicom)")
  [ ! -d demo-out/s01 ] || cts+=("S01=$(dirname "$(find "$PWD/demo-out/s01" -name '*.dcm' -print -quit)")")
  (cd clients/ohif && node build.mjs && SPINEFX_PROGRAM=$program node bench/overlay.mjs "${cts[@]}") \
    >>docs/performance.md.part
else
  echo "no OHIF here (make test-ohif installs it): the overlay is left out" >&2
fi
mv docs/performance.md.part docs/performance.md
cat docs/performance.md
