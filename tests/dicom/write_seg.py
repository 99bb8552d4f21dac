"""Writes segmentations of a CT series with highdicom, as other programs do.

Arguments: folder of the CT; mask.raw (u8 labels 0 to 2 on the sorted slices, i fastest); output folder.
"""

import sys
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from highdicom.seg import SegmentationTypeValues as Type
from pydicom.sr.coding import Code

series = [pydicom.dcmread(path) for path in Path(sys.argv[1]).iterdir()]
row, column = np.reshape(series[0].ImageOrientationPatient, (2, 3)).astype(float)
normal = np.cross(row, column)
series.sort(key=lambda d: np.dot(normal, np.array(d.ImagePositionPatient, float)))
shape = (len(series), series[0].Rows, series[0].Columns)
labels = np.fromfile(sys.argv[2], np.uint8).reshape(shape)


def segment(number):
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"Part {number}",
        segmented_property_category=Code("49755003", "SCT", "Morphologically Abnormal Structure"),
        segmented_property_type=Code("72704001", "SCT", "Fracture"),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def write(name, kind, pixels, segments, **more):
    highdicom.seg.Segmentation(
        source_images=series,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[segment(n) for n in segments],
        series_instance_uid=highdicom.UID(),
        series_number=2,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        **more,
    ).save_as(Path(sys.argv[3]) / f"{name}.dcm")


write("binary", Type.BINARY, labels, [1, 2])
write("labelmap", Type.LABELMAP, labels, [1, 2])
# Values 0.2 and 0.8: only the latter is inside.
write("fractional", Type.FRACTIONAL, np.where(labels == 2, 0.8, labels * 0.2).astype(np.float32), [1])
