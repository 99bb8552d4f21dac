"""Real CT through the real server into a real Slicer scene, and pictures of it."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any, Dict

import headless
import numpy as np
import pydicom
import pytest
import slicer
import SpineFxLib  # noqa: F401
import vtk
from conftest import ROOT, shared
from spinefx_client import Client, Voxels, of_path
from SpineFxLib import crops, nodes, volumes
from SpineFxUi.selftest import THRESHOLD, mask_ras, voxels_ras
from test_nodes import Database

DOCS = ROOT / "docs/slicer"
# Whether a model finds something on this CT, without a clear fracture, is not what is tested here.
OPTIONS = {"threshold": THRESHOLD, "minimum_component_mm3": 0.0}
WRITE_DOCS = bool(os.environ.get("SPINEFX_WRITE_DOCS"))


@pytest.fixture
def scene() -> Any:
    return headless.start()


def segment_ras(node: Any) -> Any:
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("segment_1", image)
    return voxels_ras(image)


@pytest.fixture(scope="session")
def of_files(server: str, oblique: Path) -> Any:
    """What the server says of the DICOM files themselves."""
    with Client(server) as client:
        return client.segment(of_path(oblique), options=OPTIONS, outputs=["labelmap", "dicom_seg"])


def test_oblique_dicom_loaded_by_slicer_sent_as_voxels(scene: Any, server: str, oblique: Path, of_files: Any) -> None:
    """Zero RAS error, and the very voxels of the answer to the DICOM files, which Slicer never touched."""
    volume = headless.load_series(oblique.iterdir())
    source = volumes.read(volume)
    with Client(server) as client:
        answer = client.segment(Voxels(source.voxels, source.grid), options=OPTIONS)
        segments = client.manifest().segments
    prepared = crops.prepare(answer, source, [s.number for s in segments], as_dicom=False)
    node, table = nodes.add_result(scene, prepared, segments)
    found, expected = segment_ras(node), mask_ras(answer.mask, source.ijk_to_ras)
    assert len(expected) > 0, "nothing was found, so nothing was compared"
    assert found.shape == expected.shape and np.abs(found - expected).max() == 0.0
    assert (slicer.util.arrayFromSegmentBinaryLabelmap(node, "segment_1", volume) == answer.mask).all()
    # The two ways need not have the same axes; the voxels must be at the same places. DICOM's text rounds the
    # axes, so a voxel on the edge of the model's field may differ.
    others = mask_ras(of_files.mask, of_files.grid.ijk_to_ras())
    index = np.linalg.inv(source.ijk_to_ras) @ np.c_[others, np.ones(len(others))].T
    assert np.abs(index - np.rint(index)).max() < 0.02
    i, j, k = np.rint(index[:3]).astype(int)
    again = np.zeros_like(answer.mask)
    again[k, j, i] = 1
    assert 2 * (again & answer.mask).sum() / (again.sum() + answer.mask.sum()) > 0.999
    assert table.GetNumberOfRows() == len(answer.findings) >= 1
    largest = nodes.position_ras(node, 0)
    assert (found.min(axis=0) <= largest).all() and (largest <= found.max(axis=0)).all()
    # The negative control: without the flip from LPS to RAS no voxel is where it belongs.
    wrong = {tuple(p) for p in np.round(mask_ras(answer.mask, source.grid.ijk_to_lps()), 1)}
    assert not wrong & {tuple(p) for p in np.round(found, 1)}


def test_sent_as_dicom_files_with_a_seg(scene: Any, oblique: Path, of_files: Any, server: str, tmp_path: Path) -> None:
    """The mask of the files lies on the volume that Slicer loaded from them; the SEG names their instances."""
    volume = headless.load_series(oblique.iterdir())
    files: Dict[str, str] = {}
    for path in sorted(oblique.iterdir()):
        files[str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)] = str(path)
    volume.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    source = volumes.read(volume, Database("CT", files))
    assert len(source.dicom_files) == 32 and source.upload(True).byte_count > 0
    with Client(server) as client:
        segments = client.manifest().segments
    prepared = crops.prepare(of_files, source, [1], as_dicom=True)
    assert not any("not as the DICOM files" in note for note in prepared.notes), prepared.notes
    node, _ = nodes.add_result(scene, prepared, segments)
    on_volume = slicer.util.arrayFromSegmentBinaryLabelmap(node, "segment_1", volume)
    assert on_volume.sum() == of_files.mask.sum() > 0
    (tmp_path / "mask.seg.dcm").write_bytes(of_files.outputs["mask.seg.dcm"])
    seg = pydicom.dcmread(tmp_path / "mask.seg.dcm")
    assert seg.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    named = {str(i.ReferencedSOPInstanceUID) for i in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert named == set(files)


def test_s01_whole_and_pictures(scene: Any, server: str, tmp_path: Path) -> None:
    """The whole chest CT: zero RAS error, and axial, sagittal, coronal and 3D pictures."""
    with tarfile.open(shared("S01_lidc0314_thoracic_dicom.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    volume = headless.load_series(tmp_path.rglob("*.dcm"), "S01")
    assert volume.GetImageData().GetDimensions() == (512, 512, 275)
    source = volumes.read(volume)
    with Client(server) as client:
        # The pictures for the documentation show what a user gets.
        answer = client.segment(Voxels(source.voxels, source.grid), options={} if WRITE_DOCS else OPTIONS)
        segments = client.manifest().segments
    prepared = crops.prepare(answer, source, [1], as_dicom=False)
    node, _ = nodes.add_result(scene, prepared, segments)
    found, expected = segment_ras(node), mask_ras(answer.mask, source.ijk_to_ras)
    assert len(expected) > 0 and found.shape == expected.shape
    assert np.abs(found - expected).max() == 0.0
    pictures(scene, volume, node, expected, DOCS if WRITE_DOCS else tmp_path)


def pictures(scene: Any, volume: Any, node: Any, mask: Any, folder: Path) -> None:
    """Draws with Slicer's own displayable managers, off screen; every picture must show the segment."""
    folder.mkdir(parents=True, exist_ok=True)
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(1200, 300)
    views = [headless.SliceView(scene, name) for name in ("Axial", "Sagittal", "Coronal")]
    for view in views:
        view.show(volume)
    # A finding's centre of mass may lie outside of it; the voxel (RAS) nearest to that of the largest does not.
    away = np.linalg.norm(mask - nodes.position_ras(node, 0), axis=1)
    for view in views:
        view.node.JumpSliceByCentering(*mask[away.argmin()])
        path = folder / f"{view.node.GetName().lower()}.png"
        view.png(path)
        assert reddish(path) > 20, path
    nodes.show_3d(node, True)
    bone_model(scene, volume)
    view_3d = headless.View3D(scene)
    view_3d.window.Render()
    camera = view_3d.renderer.GetActiveCamera()
    view_3d.renderer.ResetCamera()
    camera.Azimuth(35)
    camera.Elevation(10)
    camera.Zoom(1.5)
    view_3d.renderer.ResetCameraClippingRange()
    view_3d.png(folder / "3d.png")
    # For the documentation the model's own answer is drawn: one region of half a cubic centimetre, some 130 pixels.
    assert reddish(folder / "3d.png") > (100 if WRITE_DOCS else 500)


def bone_model(scene: Any, volume: Any) -> None:
    """Bone as a pale surface, so that the picture shows where the findings are."""
    shrink = vtk.vtkImageShrink3D()
    shrink.SetInputData(volume.GetImageData())
    shrink.SetShrinkFactors(3, 3, 2)
    surface = vtk.vtkFlyingEdges3D()
    surface.SetInputConnection(shrink.GetOutputPort())
    surface.SetValue(0, 200)
    surface.ComputeScalarsOff()
    # Without the couch.
    largest = vtk.vtkPolyDataConnectivityFilter()
    largest.SetInputConnection(surface.GetOutputPort())
    largest.SetExtractionModeToLargestRegion()
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    to_ras = vtk.vtkTransform()
    to_ras.SetMatrix(matrix)
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetTransform(to_ras)
    placed.SetInputConnection(largest.GetOutputPort())
    placed.Update()
    model = scene.AddNewNodeByClass("vtkMRMLModelNode", "bone")
    model.SetAndObservePolyData(placed.GetOutput())
    model.CreateDefaultDisplayNodes()
    model.GetDisplayNode().SetColor(0.95, 0.9, 0.8)
    model.GetDisplayNode().SetOpacity(0.25)


def reddish(path: Path) -> int:
    """Pixels of the manifest's red, over grey or over the 3D view's blue."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    from vtk.util.numpy_support import vtk_to_numpy

    rgb = vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars()).astype(int)
    return int(((rgb[:, 0] > rgb[:, 1] + 40) & (rgb[:, 0] > rgb[:, 2] + 20)).sum())
