"""Writes a SEG anew as BINARY, as programs do that know no other kind.

    binary_seg.py SEG CT_FOLDER OUT

The pixels stay the same; where frames do not fill whole bytes, they share one. Every slice of the CT gets a
frame, also one without mask: OHIF 3.13 asks an archive for single frames where all frames together fill whole
bytes, and Orthanc has none to give. So what a test sees hangs on the CT alone, not on what a model found in it.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage


def binary(path: Path, ct: Path) -> pydicom.Dataset:
    """The label map of one segment as a BINARY segmentation."""
    ds = pydicom.dcmread(path)
    if ds.SegmentationType != "LABELMAP":
        sys.exit(f"{path} is {ds.SegmentationType}")
    slices = [pydicom.dcmread(file, stop_before_pixels=True) for file in ct.glob("*.dcm")]
    slices.sort(key=lambda instance: float(instance.ImagePositionPatient[2]))
    masks = np.zeros((len(slices), ds.Rows, ds.Columns), bool)
    at = {instance.SOPInstanceUID: number for number, instance in enumerate(slices)}
    stored = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
    for groups, mask in zip(ds.PerFrameFunctionalGroupsSequence, stored, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        masks[at[source.ReferencedSOPInstanceUID]] = mask == 1
    template = ds.PerFrameFunctionalGroupsSequence[0]
    ds.PerFrameFunctionalGroupsSequence = [frame(template, instance, number) for number, instance in enumerate(slices)]
    ds.NumberOfFrames = len(slices)
    bits = np.packbits(masks.ravel(), bitorder="little").tobytes()
    ds.PixelData = bits + b"\0" * (len(bits) % 2)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    del ds.PixelPaddingValue
    ds.SegmentationType = "BINARY"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    ds.SegmentSequence = [item for item in ds.SegmentSequence if item.SegmentNumber == 1]
    return ds


def frame(template: Dataset, instance: Dataset, number: int) -> Dataset:
    """The functional groups of the frame over a slice of the CT."""
    groups = copy.deepcopy(template)
    source = groups.DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    groups.FrameContentSequence[0].DimensionIndexValues = number + 1
    groups.PlanePositionSequence[0].ImagePositionPatient = instance.ImagePositionPatient
    segment = Dataset()
    segment.ReferencedSegmentNumber = 1
    groups.SegmentIdentificationSequence = [segment]
    return groups


if __name__ == "__main__":
    out = Path(sys.argv[3])
    out.parent.mkdir(parents=True)
    binary(Path(sys.argv[1]), Path(sys.argv[2])).save_as(out)
