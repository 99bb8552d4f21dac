#!/usr/bin/env bash
# Measures the built-in model and keeps the figures in docs/performance.md. Called by `make bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/unpack-s01.sh demo-out/s01
cargo bench --bench end_to_end >docs/performance.md.part
mv docs/performance.md.part docs/performance.md
cat docs/performance.md
