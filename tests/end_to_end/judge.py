"""Judges the results of a DICOM series: judge.py SERIES RESULTS

SimpleITK says what the series' grid is, dciodvfy whether the SEG is valid, highdicom what is in it.
"""

import subprocess
import sys
from pathlib import Path

import highdicom
import numpy as np
import SimpleITK as sitk

series, results = map(Path, sys.argv[1:])

reader = sitk.ImageSeriesReader()
folder = next(p.parent for p in sorted(series.rglob("*")) if p.is_file())
reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
source = reader.Execute()
masks = {name: sitk.ReadImage(str(results / name)) for name in ("mask.nii.gz", "mask.nrrd")}
for name, mask in masks.items():
    assert mask.GetSize() == source.GetSize(), (name, mask.GetSize(), source.GetSize())
    # NIfTI stores its geometry as 32-bit floats; a thousandth of a millimetre is far below a voxel.
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        found, wanted = getattr(mask, what)(), getattr(source, what)()
        assert np.allclose(found, wanted, atol=1e-3), (name, what, found, wanted)
voxels = {name: sitk.GetArrayFromImage(mask) for name, mask in masks.items()}
assert (voxels["mask.nii.gz"] == voxels["mask.nrrd"]).all()
mask = voxels["mask.nii.gz"]
assert set(np.unique(mask)) <= {0, 1}

seg_path = results / "mask.seg.dcm"
verdict = subprocess.run(["dciodvfy", str(seg_path)], capture_output=True, text=True)
errors = [line for line in (verdict.stdout + verdict.stderr).splitlines() if line.startswith("Error")]
assert not errors, errors

seg = highdicom.seg.segread(seg_path)
read = np.zeros_like(mask)
for frame, functional_group in zip(
    np.atleast_3d(seg.pixel_array).reshape(-1, seg.Rows, seg.Columns),
    seg.PerFrameFunctionalGroupsSequence,
):
    position = functional_group.PlanePositionSequence[0].ImagePositionPatient
    i, j, k = source.TransformPhysicalPointToIndex([float(v) for v in position])
    assert (i, j) == (0, 0), (i, j, k)
    read[k] |= frame
assert (read == mask).all(), "the SEG does not hold the mask's voxels"
print(f"{mask.sum()} voxels in {mask.shape}, alike in NIfTI, NRRD and DICOM SEG")
