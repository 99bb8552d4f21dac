#!/usr/bin/env bash
# Starts Orthanc, the server and the OHIF viewer with the SpineFx panel on this computer, with a generated spine (and
# the real CT S01, where it is) in the archive, and prints the addresses. Ctrl-C ends all. Called by `make ohif-demo`.
#
#   scripts/ohif-demo.sh PROGRAM OUTPUT_FOLDER
set -euo pipefail
program=$(realpath "$1")
out=$2
cd "$(dirname "$0")/.."
. scripts/ohif-versions.sh
export PATH=$PWD/.tools/bin:$PATH

mkdir -p "$out"
(cd clients/ohif && node build.mjs)
# The generated spine of `make demo`, coarser, so that a run takes less; 128 voxels wide (see clients/ohif/README.md,
# "Known faults of others").
[ -d "$out/phantom" ] || "$program" phantom --seed 20261 --first 9 --prevalence 1 --spacing 1.44,1.44,2 \
  --format dicom -o "$out/phantom"
scripts/unpack-s01.sh "$out/s01"
studies=("$out"/phantom/phantom-*/dicom)
[ ! -d "$out/s01" ] || studies+=("$out/s01")
exec node clients/ohif/dev/demo.mjs "$program" ".tools/ohif/$OHIF_DEMO/dist" "$out" "${studies[@]}"
