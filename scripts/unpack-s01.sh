#!/usr/bin/env bash
# Unpacks the real chest CT S01 into a folder, once. Does nothing where it is not beside the project.
#
#   scripts/unpack-s01.sh FOLDER
set -euo pipefail
archive=$(dirname "$0")/../../shared/data/S01_lidc0314_thoracic_dicom.tar.xz
folder=$1
[ -e "$archive" ] && [ ! -d "$folder" ] || exit 0
mkdir -p "$folder.part"
tar -xJf "$archive" -C "$folder.part"
mv "$folder.part" "$folder"
