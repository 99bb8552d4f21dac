"""What SimpleITK makes of volumes, for tests/geometry.rs.

    oracle.py make FOLDER   invents volumes, processes and writes them; describes all in cases.json
    oracle.py read FOLDER   reads every image file of FOLDER and describes it in read.json
    oracle.py real FOLDER SOURCE   describes the image files anywhere below SOURCE in real.json

A described volume is its grid and the name of a raw little-endian file, i fastest.
"""

import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # 4-D NIfTI: "direction coerced"

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")
PIXELS = {"u8": np.uint8, "i16": np.int16, "f32": np.float32}
FILE_PIXELS = PIXELS | {"u16": np.uint16, "i32": np.int32, "f64": np.float64, "i8": np.int8}


def rotation(axis, degrees):
    axis = np.array(axis, float) / np.linalg.norm(axis)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    a = np.radians(degrees)
    return np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * (k @ k)


PIR = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float)
DIRECTIONS = {
    "straight": np.eye(3),
    "oblique": rotation((1, 2, 3), 25),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "sagittal": rotation((3, 1, -1), 17) @ PIR,
    "left_handed": rotation((0, 1, 1), 31) @ np.diag([1.0, -1.0, 1.0]),
}


def volume(rng, direction, pixel):
    shape = (17, 19, 23)
    if np.issubdtype(pixel, np.floating):
        values = rng.uniform(-100, 100, shape).astype(pixel)
    else:
        low, high = max(np.iinfo(pixel).min, -1024), min(np.iinfo(pixel).max, 3071)
        values = rng.integers(low, high + 1, shape).astype(pixel)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.7, 0.9, 1.6))
    image.SetOrigin((-12.5, 31.25, 402.0))
    image.SetDirection(direction.ravel())
    return image


def target_of(image):
    """An unrelated lattice around the same centre, in part outside."""
    target = sitk.Image((21, 22, 20), sitk.sitkUInt8)
    direction = rotation((2, -1, 1), 40)
    target.SetSpacing((0.83, 0.97, 1.21))
    target.SetDirection(direction.ravel())
    centre = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    half = [(n - 1) / 2 * s for n, s in zip(target.GetSize(), target.GetSpacing())]
    target.SetOrigin(np.array(centre) - direction @ np.array(half))
    return target


def half_voxel_of(image):
    """Shifted by half a voxel along every axis, where integer averages end in exact fractions."""
    target = sitk.Image(image)
    target.SetOrigin(image.TransformContinuousIndexToPhysicalPoint((0.5, 0.5, 0.5)))
    return target


class Cases:
    def __init__(self, folder):
        self.folder, self.described = folder, {}

    def add(self, name, image):
        raw = f"{name}.raw"
        array = sitk.GetArrayFromImage(image)
        if array.ndim == 4:
            array = array[0]
        array.astype(array.dtype.newbyteorder("<")).tofile(self.folder / raw)
        dimension = image.GetDimension()
        direction = np.array(image.GetDirection()).reshape(dimension, dimension)[:3, :3]
        self.described[name] = {
            "raw": raw,
            "type": str(array.dtype),
            "size": image.GetSize()[:3],
            "spacing_mm": image.GetSpacing()[:3],
            "origin_lps": image.GetOrigin()[:3],
            "direction": direction.tolist(),
        }

    def write(self, name):
        (self.folder / name).write_text(json.dumps(self.described))


def filters(cases, rng):
    for place, direction in DIRECTIONS.items():
        for pixel, kind in PIXELS.items():
            source, name = volume(rng, direction, kind), f"{place}_{pixel}"
            cases.add(f"{name}_source", source)
            cases.add(f"{name}_oriented", sitk.DICOMOrient(source, "LPS"))
            for how, target in (("far", target_of(source)), ("half", half_voxel_of(source))):
                # As doubles: ResampleImageFilter would truncate integers, spinefx rounds them.
                linear = sitk.Resample(
                    sitk.Cast(source, sitk.sitkFloat64), target, sitk.Transform(), sitk.sitkLinear, 7.0
                )
                cases.add(f"{name}_{how}_linear", linear)
                nearest = sitk.Resample(source, target, sitk.Transform(), sitk.sitkNearestNeighbor, 7.0)
                cases.add(f"{name}_{how}_nearest", nearest)
        smooth = sitk.Cast(volume(rng, direction, np.float32), sitk.sitkFloat32)
        cases.add(f"{place}_sharp", smooth)
        for axis, target_mm in ((0, 2.0), (2, 3.0)):
            sigma = np.sqrt((target_mm**2 - smooth.GetSpacing()[axis] ** 2) / (8 * np.log(2)))
            smooth = sitk.RecursiveGaussian(smooth, float(sigma), False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
        cases.add(f"{place}_smooth", smooth)


def components(cases, rng):
    for name, density in (("sparse", 0.02), ("dense", 0.08), ("empty", 0.0)):
        mask = sitk.GetImageFromArray((rng.uniform(size=(24, 25, 26)) < density).astype(np.uint8))
        cases.add(f"{name}_mask", mask)
        labels = sitk.RelabelComponent(sitk.ConnectedComponent(mask, True), sortByObjectSize=True)
        cases.add(f"{name}_labels", sitk.Cast(labels, sitk.sitkUInt32))


def files(cases, rng):
    for place, direction in DIRECTIONS.items():
        for pixel, kind in FILE_PIXELS.items():
            image = volume(rng, direction, kind)
            for ending in ENDINGS:
                if kind == np.int8 and ending.startswith(".nii"):
                    continue  # SimpleITK writes it as another type
                name = f"{place}_{pixel}{ending}"
                sitk.WriteImage(image, cases.folder / name, ending != ".mha" or place == "oblique")
                cases.add(name, sitk.ReadImage(cases.folder / name))
    image = volume(rng, DIRECTIONS["oblique"], np.int16)
    for ending in ENDINGS:
        for frames in (1, 2):
            sitk.WriteImage(sitk.JoinSeries([image] * frames), cases.folder / f"frames{frames}{ending}")
        sitk.WriteImage(image[:, :, 3], cases.folder / f"flat{ending}")
    cases.add("frames1", image)


def make(folder):
    rng = np.random.default_rng(20)
    cases = Cases(folder)
    filters(cases, rng)
    components(cases, rng)
    files(cases, rng)
    cases.write("cases.json")


def read(folder):
    cases = Cases(folder)
    for path in sorted(folder.iterdir()):
        if path.name.endswith(ENDINGS):
            cases.add(path.name, sitk.ReadImage(path))
    cases.write("read.json")


def real(folder, source):
    cases = Cases(folder)
    for number, path in enumerate(sorted(p for p in source.rglob("*") if p.name.endswith(ENDINGS))):
        cases.add(f"real{number}", sitk.ReadImage(path))
        cases.described[f"real{number}"]["path"] = str(path)
    cases.write("real.json")


if __name__ == "__main__":
    {"make": make, "read": read, "real": real}[sys.argv[1]](*map(Path, sys.argv[2:]))
