"""Makes the studies of the browser tests.

    fixtures.py CT_FOLDER OUT

CT_FOLDER holds a phantom with two fractures, 1.44 x 1.44 x 4 mm (`spinefx phantom`). OUT gets folders, one study each:

- `whole`: the phantom, for which a run takes half a minute;
- `ct`: the piece of the phantom around the fractures, small, so that a run takes seconds;
- `odd`: the same, one column and one row less: its frames do not fill whole bytes, bit by bit;
- `water`: a CT without any bone, in which nothing is found;
- `mr`: a tiny MR.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import MRImageStorage, generate_uid

COLUMNS, ROWS, SLICES = slice(38, 78), slice(25, 81), slice(4, 32)
"""The piece around the fractures, in voxels of the phantom."""


def piece(folder: Path, less: int = 0) -> list[pydicom.Dataset]:
    """The instances of the phantom's piece, with that many rows and columns less."""
    instances = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    if not instances:
        sys.exit(f"no DICOM files in {folder}")
    instances.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    for number, ds in enumerate(instances[SLICES]):
        pixels = ds.pixel_array[ROWS.start : ROWS.stop - less, COLUMNS.start : COLUMNS.stop - less]
        down, right = (float(mm) for mm in ds.PixelSpacing)
        x, y, z = (float(mm) for mm in ds.ImagePositionPatient)
        ds.ImagePositionPatient = [x + COLUMNS.start * right, y + ROWS.start * down, z]
        ds.Rows, ds.Columns = pixels.shape
        ds.PixelData = pixels.tobytes()
        ds.InstanceNumber = number + 1
        ds.StudyDescription = "SpineFx test: fractures"
    return instances[SLICES]


def other_study(instances: list[pydicom.Dataset], name: str) -> None:
    """Makes the instances a study of their own."""
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for ds in instances:
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.StudyDescription = f"SpineFx test: {name}"
        ds.SeriesDescription = name


def save(instances: list[pydicom.Dataset], folder: Path) -> None:
    """Writes the instances."""
    folder.mkdir(parents=True)
    for number, ds in enumerate(instances):
        ds.save_as(folder / f"{number:03}.dcm")


def main(source: Path, out: Path) -> None:
    """Makes all studies."""
    save(piece(source), out / "ct")

    whole = [pydicom.dcmread(path) for path in source.glob("*.dcm")]
    other_study(whole, "whole")
    save(whole, out / "whole")

    odd = piece(source, less=1)
    other_study(odd, "odd")
    save(odd, out / "odd")

    water = piece(source)
    other_study(water, "water")
    for ds in water:
        value = round(-float(ds.RescaleIntercept) / float(ds.RescaleSlope))
        ds.PixelData = np.full((ds.Rows, ds.Columns), value, ds.pixel_array.dtype).tobytes()
    save(water, out / "water")

    mr = piece(source)[:12]
    other_study(mr, "mr")
    for ds in mr:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
        ds.Modality = "MR"
    save(mr, out / "mr")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
