#!/usr/bin/env bash
# Starts the server, sends it CTs with known fractures, prints findings beside the truth and where the
# pictures are. Called by `make demo`.
#
#   scripts/demo.sh PROGRAM OUTPUT_FOLDER
set -euo pipefail
program=$(realpath "$1")
out=$2
# Real CT lies beside the project in development and CI; elsewhere the generated spine is the demo.
data=$(dirname "$0")/../../shared/data
mkdir -p "$out"

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }

say "a synthetic spine with known fractures (seed 20261, which training never saw)"
# What an older version left here would be read as slices of the same series.
rm -rf "$out/phantom"
"$program" phantom --seed 20261 --first 9 --prevalence 1 --format nifti,dicom -o "$out/phantom"

say "the server"
. "$(dirname "$0")/start-server.sh"
log=$out/server.log
start_server "$program" "$log"
echo "listening on $address (log: $log)"
url=http://$address

spine=$(dirname "$(find "$out/phantom" -name truth.json | sort | head -n 1)")
say "the spine as a DICOM series through the server"
"$program" segment "$spine/dicom" --server "$url" -o "$out/phantom-mask" --truth "$spine/fracture.nii.gz"

if [ -e "$data/S09_verse004_fracture_masks" ]; then
  s09=$data/S09_verse004_fracture_masks
  say "S09: real vertebra shapes with fractures at T9, T10, L1 (painted intensities)"
  "$program" segment "$s09/verse004_PAINTED_oblique_sagittal_dicom.zip" --server "$url" \
    -o "$out/s09-mask" --truth "$s09/sub-verse004_seg-vert_msk.nii.gz" --truth-labels 16,17,20
fi
"$(dirname "$0")/unpack-s01.sh" "$out/s01"
if [ -d "$out/s01" ]; then
  say "S01: a real chest CT without a clear fracture"
  "$program" segment "$out/s01" --server "$url" -o "$out/s01-mask"
fi

say "pictures"
ls "$out"/*-mask/*.png
say "the model was trained on synthetic spines and few real ones: research only, not for diagnosis"
