"""A volume of the scene, as it is sent: checked, and kept as it was when Run was pressed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, List, Optional

import numpy as np
import slicer
import vtk
from spinefx_client import DicomFiles, Grid, SpinefxError, Upload, Voxels
from spinefx_client.geometry import Matrix

MANY = 1 << 22
"""About how many voxels are looked at to judge whether values are HU."""
HOUNSFIELD = ("[hnsf'U]", "HU")


@dataclass
class Source:
    """What is known of a volume. Later changes of the node do not reach it, but for edits of voxels in place."""

    node_id: str
    name: str
    grid: Grid
    ijk_to_ras: Matrix
    """The node's own matrix, without parent transforms; the result is placed by exactly this one."""
    voxels: Any
    """(k, j, i); the node's own memory, or a copy for a sequence's frame."""
    transform_id: Optional[str] = None
    dicom_files: List[Path] = field(default_factory=list)
    doubts: List[str] = field(default_factory=list)
    """Sentences about which to ask before sending."""
    notes: List[str] = field(default_factory=list)
    """Sentences to show with the result."""

    def upload(self, as_dicom: bool) -> Upload:
        """The voxels, or the DICOM files that the volume was loaded from."""
        return DicomFiles(self.dicom_files) if as_dicom else Voxels(self.voxels, self.grid)


def read(node: Any, database: Any = None) -> Source:
    """Looks at a volume node; ``database`` is Slicer's DICOM database, where there is one.

    Raises SpinefxError for what cannot be segmented: another kind of node, no voxels, axes that are not
    perpendicular, another modality than CT.
    """
    _check_kind(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ijk_to_ras = slicer.util.arrayFromVTKMatrix(matrix)
    grid = Grid.from_ijk_to_ras(ijk_to_ras, node.GetImageData().GetDimensions())
    uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    _check_modality(node, uids, database)
    voxels = slicer.util.arrayFromVolume(node)
    source = Source(node.GetID(), node.GetName(), grid, ijk_to_ras, voxels, node.GetTransformNodeID())
    source.doubts = doubts(voxels)
    source.dicom_files = dicom_files(uids, database)
    if source.transform_id is not None:
        parent = slicer.mrmlScene.GetNodeByID(source.transform_id)
        text = f"The volume stands under the transform '{parent.GetName()}': it is sent as scanned, and the result gets the same transform."
        source.notes.append(text)
    _freeze_frame(source, node)
    return source


def _check_kind(node: Any) -> None:
    image = node.GetImageData()
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise SpinefxError("VOLUME_KIND", {"found": "a label map"})
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise SpinefxError("VOLUME_KIND", {"found": node.GetNodeTagName()})
    if image is None or image.GetPointData().GetScalars() is None or min(image.GetDimensions()) < 1:
        raise SpinefxError("VOLUME_EMPTY")
    if image.GetNumberOfScalarComponents() != 1:
        raise SpinefxError("VOLUME_KIND", {"found": "a colour or vector volume"})


def _check_modality(node: Any, uids: List[str], database: Any) -> None:
    modality = ""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = tree.GetItemByDataNode(node) if tree is not None else 0
    if item:
        name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
        modality = tree.GetItemAttribute(item, name)
    if not modality and uids and database is not None:
        modality = database.instanceValue(uids[0], "0008,0060")
    if modality and modality != "CT":
        raise SpinefxError("VOLUME_NOT_CT", {"modality": modality})
    units = node.GetVoxelValueUnits()
    code = units.GetCodeValue() if units is not None else ""
    if code and code not in HOUNSFIELD:
        raise SpinefxError("VOLUME_NOT_CT", {"modality": f"in the unit {code}"})


def doubts(voxels: Any) -> List[str]:
    """Why the values may not be HU, judged from a sample of them."""
    step = max(1, int(np.ceil((voxels.size / MANY) ** (1 / 3))))
    sample = voxels[::step, ::step, ::step]
    low, high = float(np.nanmin(sample)), float(np.nanmax(sample))
    if low >= 0:
        return [
            f"No voxel is below 0 (they are {low:g} to {high:g}). CT has air near -1000: is this another modality, or CT that was not rescaled?"
        ]
    if high - low < 100:
        return [f"All voxels lie between {low:g} and {high:g}: that is no CT with bone in it."]
    return []


def dicom_files(uids: List[str], database: Any) -> List[Path]:
    """The files that a volume was loaded from; empty unless every one is there."""
    if not uids or database is None:
        return []
    paths = [Path(database.fileForInstance(uid) or "") for uid in uids]
    return paths if all(path.is_file() for path in paths) else []


def _freeze_frame(source: Source, node: Any) -> None:
    """A sequence's frame changes under the same node when another is shown, so this one is copied."""
    browsers = slicer.mrmlScene.GetNodesByClass("vtkMRMLSequenceBrowserNode")
    for n in range(browsers.GetNumberOfItems()):
        browser = browsers.GetItemAsObject(n)
        if browser.IsProxyNodeID(node.GetID()):
            frame = browser.GetSelectedItemNumber() + 1
            source.voxels = source.voxels.copy()
            source.name += f" frame {frame}"
            source.notes.append(f"Only frame {frame} of the sequence was segmented.")
            return
