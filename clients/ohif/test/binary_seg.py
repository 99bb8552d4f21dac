"""Writes a SEG anew as BINARY, as programs do that know no other kind.

    binary_seg.py SEG OUT

The pixels stay the same; where frames do not fill whole bytes, they share one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage


def binary(path: Path) -> pydicom.Dataset:
    """The label map of one segment as a BINARY segmentation."""
    ds = pydicom.dcmread(path)
    if ds.SegmentationType != "LABELMAP":
        sys.exit(f"{path} is {ds.SegmentationType}")
    bits = np.packbits(ds.pixel_array.ravel() == 1, bitorder="little").tobytes()
    ds.PixelData = bits + b"\0" * (len(bits) % 2)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    del ds.PixelPaddingValue
    ds.SegmentationType = "BINARY"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    ds.SegmentSequence = [item for item in ds.SegmentSequence if item.SegmentNumber == 1]
    for groups in ds.PerFrameFunctionalGroupsSequence:
        number = Dataset()
        number.ReferencedSegmentNumber = 1
        groups.SegmentIdentificationSequence = [number]
    return ds


if __name__ == "__main__":
    Path(sys.argv[2]).parent.mkdir(parents=True)
    binary(Path(sys.argv[1])).save_as(sys.argv[2])
