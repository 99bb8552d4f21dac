"""Reads a segmentation with highdicom and pydicom and compares every voxel and place with what was meant.

Arguments: the segmentation; a folder with mask.raw (u8, i fastest) and meant.json (size, spacing_mm,
origin_lps, direction, frames as [SOP Instance UID, frame number or null], even, type).
"""

import json
import sys
from pathlib import Path

import highdicom
import numpy as np
import pydicom

path, folder = Path(sys.argv[1]), Path(sys.argv[2])
meant = json.loads((folder / "meant.json").read_text())
columns, rows, slices = meant["size"]
mask = np.fromfile(folder / "mask.raw", np.uint8).reshape(slices, rows, columns)
seg = highdicom.seg.segread(path)
assert list(seg.segment_numbers) == [1], "without a label map's background"
assert seg.segmentation_type.value == meant["type"]

# By reference: what a viewer does that overlays frames on the slices they name.
uids = [uid for uid, _ in meant["frames"]]
if meant["frames"][0][1] is None:
    found = seg.get_pixels_by_source_instance(
        uids, assert_missing_frames_are_empty=True, ignore_spatial_locations=False
    )
else:
    numbers = [number for _, number in meant["frames"]]
    found = seg.get_pixels_by_source_frame(
        uids[0], numbers, assert_missing_frames_are_empty=True, ignore_spatial_locations=False
    )
assert found.shape == (slices, rows, columns, 1), found.shape
assert np.array_equal(found[..., 0], mask), "voxels differ by reference"

# By position: what a viewer does that trusts the plane positions alone.
affine = np.eye(4)
affine[:3, :3] = np.array(meant["direction"]) * np.array(meant["spacing_mm"])
affine[:3, 3] = meant["origin_lps"]
if meant["even"] and mask.any():
    volume = seg.get_volume(combine_segments=True, allow_missing_positions=True)
    # highdicom indexes (slice, row, column); its affine maps that to LPS.
    there = np.argwhere(volume.array > 0)
    places = (volume.affine @ np.c_[there, np.ones(len(there))].T)[:3]
    index = (np.linalg.inv(affine) @ np.r_[places, np.ones((1, len(there)))])[:3]
    nearest = np.rint(index).astype(int)
    assert np.abs(index - nearest).max() < 1e-3, "voxels lie between the source's"
    back = np.zeros_like(mask)
    back[nearest[2], nearest[1], nearest[0]] = 1
    assert np.array_equal(back, mask), "voxels differ by position"

# The bits themselves, and what viewers ask for.
data_set = pydicom.dcmread(path)
assert np.count_nonzero(data_set.pixel_array) == np.count_nonzero(mask)
assert data_set.NumberOfFrames == max(1, np.count_nonzero(mask.any(axis=(1, 2))))
# Every value of a label map is described, the background, too (PS3.3 C.8.20.2.3).
numbers = {"BINARY": [1], "LABELMAP": [1, 0]}[meant["type"]]
assert [item.SegmentNumber for item in data_set.SegmentSequence] == numbers
segment = data_set.SegmentSequence[0]
assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "72704001"
assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
assert len(segment.RecommendedDisplayCIELabValue) == 3
algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
assert "cafe" in algorithm.AlgorithmParameters
referenced = {i.ReferencedSOPInstanceUID for i in data_set.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
assert referenced == set(uids)
print(data_set.SOPInstanceUID, data_set.SeriesInstanceUID)
