"""The module's self-test: a generated oblique volume through a server and back, compared voxel by voxel.

It asks the server whose address the panel has; where none answers, it starts one on this computer.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import slicer
import vtk

THRESHOLD = 1e-12
"""So low that the mask of any bone is not empty: a comparison of nothing would prove nothing."""


def generated_volume() -> Any:
    """A tube of bone in soft tissue on an oblique grid with three spacings."""
    _, j, i = np.mgrid[0:24, 0:40, 0:16]
    radius = np.hypot((i - 8) * 0.9, (j - 20) * 1.1)
    voxels = np.full(radius.shape, -1000, np.int16)
    voxels[radius < 19] = 40
    voxels[radius < 14] = 250
    voxels[(radius > 12) & (radius < 14)] = 700
    a, b = np.deg2rad(12), np.deg2rad(-9)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3, :3] = np.diag([-1.0, -1.0, 1.0]) @ turn * [0.9, 1.1, 2.0]
    ijk_to_ras[:3, 3] = [31.5, -42.25, -120.0]
    return slicer.util.addVolumeFromArray(voxels, ijk_to_ras, "SpineFx self-test")


def wait(task: Any, seconds: float = 300.0) -> Any:
    """Until a task ends, with the application alive meanwhile."""
    deadline = time.monotonic() + seconds
    while not task.finished:
        assert time.monotonic() < deadline, "the server did not answer in time"
        task.poll()
        slicer.app.processEvents()
        time.sleep(0.02)
    if task.error is not None:
        raise task.error
    return task.result


def voxels_ras(image: Any) -> Any:
    """RAS of every voxel that is set in an oriented image, in the order of memory."""
    from vtk.util.numpy_support import vtk_to_numpy

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    i0, _, j0, _, k0, _ = image.GetExtent()
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    kji = np.argwhere(voxels > 0) + np.array([k0, j0, i0])
    return (slicer.util.arrayFromVTKMatrix(matrix) @ np.c_[kji[:, ::-1], np.ones(len(kji))].T).T[:, :3]


def mask_ras(mask: Any, ijk_to_ras: Any) -> Any:
    """RAS of every voxel that is set in an array."""
    kji = np.argwhere(mask > 0)
    return (ijk_to_ras @ np.c_[kji[:, ::-1], np.ones(len(kji))].T).T[:, :3]


def self_test(case: Any, address: str = "") -> None:
    """Runs everything but the panel; ``case`` is the unittest case."""
    from SpineFx import SpineFxLogic
    from spinefx_client import LocalServer, SpinefxError
    from SpineFxLib import nodes

    logic, local = SpineFxLogic(), None
    try:
        wait(logic.connect(address or "127.0.0.1:50051", "", "", "", ""))
    except SpinefxError:
        local = LocalServer(environment=slicer.util.startupEnvironment())
        wait(logic.connect(local.wait_ready(), "", "", "", ""))
    try:
        logic.manifest = logic.client.manifest()
        source = logic.read(generated_volume())
        options = {"threshold": THRESHOLD, "minimum_component_mm3": 0.0}
        prepared = wait(logic.segment(source, "", options, False))
        node = logic.show(prepared)
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation("segment_1", image)
        found, expected = voxels_ras(image), mask_ras(prepared.answer.mask, source.ijk_to_ras)
        case.assertGreater(len(expected), 0)
        case.assertEqual(found.shape, expected.shape)
        case.assertEqual(np.abs(found - expected).max(), 0.0)
        case.assertEqual(nodes.table_of(node).GetNumberOfRows(), len(prepared.answer.findings))
    finally:
        logic.disconnect()
        if local is not None:
            local.stop()
