#!/usr/bin/env bash
# Measures whether the mean of two planes is better than each: trains the paper's network, an eighth as wide, on
# sagittal and on axial slices of the same synthetic spines, and evaluates both and their fusion on others. About 15
# minutes on two cores. Writes docs/results/fusion.md.
#
#   scripts/measure-fusion.sh [PROGRAM]     SPINEFX_WORK: folder for spines and weights [out/fusion]
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/spinefx}")
work=${SPINEFX_WORK:-out/fusion}
mkdir -p "$work" docs/results
[ -e "$work/train/index.csv" ] || "$program" phantom --seed 77004 --count 48 --prevalence 1 --spacing 3 -o "$work/train"
[ -e "$work/test/index.csv" ] || "$program" phantom --seed 77005 --count 20 --prevalence 1 --spacing 3 -o "$work/test"
started=$(date +%s)
for plane in sagittal axial; do
  "$program" train --data "$work/train" --seed 1 --plane "$plane" --width 8 --spacing 3 --tile 64 --batch 8 \
    --epochs 40 --slices-per-epoch 320 --overwrite -o "$work/$plane"
done
mkdir -p "$work/both"
cat >"$work/both/config.json" <<'JSON'
{
  "name": "both", "version": "0", "description": "Mean of sagittal and axial",
  "fuse": ["../sagittal", "../axial"], "threshold": 0.5, "minimum_component_mm3": 0.0
}
JSON
for model in sagittal axial both; do
  "$program" evaluate --model "$work/$model" --data "$work/test" --minimum-component 0 -o "$work/figures/$model"
done
minutes=$((($(date +%s) - started + 59) / 60))
python3 - "$work/figures" "$minutes" >docs/results/fusion.md <<'PY'
import json
import os
import sys
from pathlib import Path

figures, minutes = Path(sys.argv[1]), sys.argv[2]
print("# Does fusing planes help?\n")
print("Made by `scripts/measure-fusion.sh`: the paper's network at an eighth of its width, trained on sagittal and on")
print("axial slices of 48 synthetic spines (seed 77004, 3 mm, at most 40 epochs of 320 slices of 64 x 64, seed 1), and the")
print("mean of both networks' probabilities, each measured on 20 other spines (seed 77005) without dropping small")
print("regions. Synthetic spines; one training of each.\n")
print("| model | pooled DSC % (95 %) | fractures found | false regions per volume |")
print("|---|---:|---:|---:|")
for name in ("sagittal", "axial", "both"):
    m = json.loads((figures / name / "metrics.json").read_text())
    dsc = m["pooled_dsc"]
    low, high = (100 * v for v in dsc["interval"])
    lesions = m["lesions"]
    false = m["false_positives_per_volume"]["value"]
    cells = f"{100 * dsc['value']:.1f} ({low:.1f} to {high:.1f})", f"{lesions['found']} of {lesions['lesions']}"
    print(f"| {name} | {cells[0]} | {cells[1]} | {false:.2f} |")
print(f"\nTraining and measuring took {minutes} minutes on {os.cpu_count()} cores, other work on the machine included.")
PY
cat docs/results/fusion.md
