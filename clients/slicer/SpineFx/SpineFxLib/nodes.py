"""Results in the scene: a segmentation, a table of findings, jumping, 3D, export."""

from __future__ import annotations

from typing import Any, Iterable, List, Tuple

import numpy as np
import slicer
import vtk
from spinefx_client import SpinefxError, lps_to_ras
from spinefx_client.geometry import Matrix
from vtk.util.numpy_support import vtk_to_numpy

from .crops import Crop, Prepared

TABLE_ROLE = "SpineFx.findings"
DEFAULT_OPACITY = 0.5
"""Where a manifest gives none."""
COLUMNS = (
    ("Finding", "int", ""),
    ("Segment", "string", ""),
    ("Volume", "double", "mm3"),
    ("R", "double", "mm"),
    ("A", "double", "mm"),
    ("S", "double", "mm"),
    ("Slice", "int", ""),
    ("Mean probability", "double", ""),
    ("Maximum probability", "double", ""),
)


def add_result(scene: Any, prepared: Prepared, segments: Iterable[Any]) -> Tuple[Any, Any]:
    """Adds a segmentation and its table; returns both nodes. ``segments`` are the manifest's."""
    segments = list(segments)
    volume = scene.GetNodeByID(prepared.source.node_id)
    if volume is None:
        raise SpinefxError("VOLUME_GONE")
    name = prepared.source.name
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(f"{name} fractures"))
    node.CreateDefaultDisplayNodes()
    # Making the surface takes a while, so it waits until it is wanted.
    node.GetDisplayNode().SetVisibility3D(False)
    _set_reference(node, volume, prepared)
    for segment in segments:
        _add_segment(node, segment, prepared.crops.get(segment.number), prepared.ijk_to_ras)
    node.SetAndObserveTransformNodeID(prepared.source.transform_id)
    answer = prepared.answer
    for key, value in (("model", answer.model), ("weights", answer.weights_sha256), ("request", answer.request_id)):
        node.SetAttribute(f"SpineFx.{key}", value)
    table = _add_table(scene, prepared, {segment.number: segment.label for segment in segments})
    node.SetNodeReferenceID(TABLE_ROLE, table.GetID())
    return node, table


def _set_reference(node: Any, volume: Any, prepared: Prepared) -> None:
    """The grid on which the segmentation is edited and exported: the volume's, when it is as it was."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    now = slicer.util.arrayFromVTKMatrix(matrix)
    size = volume.GetImageData().GetDimensions() if volume.GetImageData() is not None else ()
    if tuple(size) == prepared.answer.grid.size and np.array_equal(now, prepared.ijk_to_ras):
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        return
    i, j, k = prepared.answer.grid.size
    matrix = slicer.util.vtkMatrixFromArray(prepared.ijk_to_ras)
    converter = slicer.vtkSegmentationConverter
    text = converter.SerializeImageGeometry(matrix, [0, i - 1, 0, j - 1, 0, k - 1])
    node.GetSegmentation().SetConversionParameter(converter.GetReferenceImageGeometryParameterName(), text)


def _add_segment(node: Any, segment: Any, crop: Any, ijk_to_ras: Matrix) -> None:
    made = slicer.vtkSegment()
    made.SetName(segment.label)
    if len(segment.color_srgb) == 3:
        made.SetColor(*(value / 255 for value in segment.color_srgb))
    made.SetTag(made.GetTerminologyEntryTagName(), terminology(segment))
    if crop is not None:
        representation = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        made.AddRepresentation(representation, oriented_image(crop, ijk_to_ras))
    identity = f"segment_{segment.number}"
    node.GetSegmentation().AddSegment(made, identity)
    opacity = segment.opacity if segment.HasField("opacity") else DEFAULT_OPACITY
    display = node.GetDisplayNode()
    display.SetSegmentOpacity2DFill(identity, opacity)
    display.SetSegmentOpacity3D(identity, opacity)


def oriented_image(crop: Crop, ijk_to_ras: Matrix) -> Any:
    """A crop as VTK's image, at its place on the whole grid."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*crop.extent)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = crop.voxels.ravel()
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras))
    return image


def terminology(segment: Any) -> str:
    """The manifest's codes as Slicer's terminology entry: category, type and anatomic region."""

    def code(concept: Any) -> str:
        # ~ and ^ separate; a meaning that holds them would shift all that follows.
        return "^".join(
            text.replace("~", "-").replace("^", "-") for text in (concept.scheme, concept.value, concept.meaning)
        )

    context, regions = "Segmentation category and type - SpineFx", "Anatomic codes - SpineFx"
    return "~".join([context, code(segment.category), code(segment.type), "^^", regions, code(segment.anatomy), "^^"])


def _add_table(scene: Any, prepared: Prepared, labels: Any) -> Any:
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(f"{prepared.source.name} findings"))
    rows = [
        (
            f.id,
            labels.get(f.segment, str(f.segment)),
            f.volume_mm3,
            *lps_to_ras(f.centroid_lps),
            f.slice,
            f.mean_probability,
            f.max_probability,
        )
        for f in prepared.answer.findings
    ]
    kinds = {"int": vtk.vtkIntArray, "double": vtk.vtkDoubleArray, "string": vtk.vtkStringArray}
    for n, (name, kind, unit) in enumerate(COLUMNS):
        column = kinds[kind]()
        column.SetName(name)
        for row in rows:
            column.InsertNextValue(row[n])
        table.AddColumn(column)
        table.SetColumnUnitLabel(name, unit)
    return table


def table_of(node: Any) -> Any:
    """The table of a segmentation; None where it has none."""
    return node.GetNodeReference(TABLE_ROLE) if node is not None else None


def rows(table: Any) -> List[List[str]]:
    """The table's cells as text, figures rounded for people."""
    found = table.GetTable()
    cells = []
    for row in range(found.GetNumberOfRows()):
        values = [found.GetValue(row, column) for column in range(found.GetNumberOfColumns())]
        cells.append([_text(value, kind) for value, (_, kind, _) in zip(values, COLUMNS)])
    return cells


def _text(value: Any, kind: str) -> str:
    if kind == "string":
        return str(value.ToString())
    return f"{value.ToDouble():.2f}" if kind == "double" else str(value.ToInt())


def position_ras(node: Any, row: int) -> List[float]:
    """Where a finding is in the world, in RAS: its centre of mass under the segmentation's transform."""
    table = table_of(node).GetTable()
    local = [table.GetValueByName(row, axis).ToDouble() for axis in "RAS"]
    parent = node.GetParentTransformNode()
    if parent is None:
        return local
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, None, to_world)
    return list(to_world.TransformPoint(local))


def jump(node: Any, row: int) -> None:
    """Brings all slice views to a finding."""
    scene = node.GetScene()
    position = position_ras(node, row)
    slices = scene.GetNodesByClass("vtkMRMLSliceNode")
    for n in range(slices.GetNumberOfItems()):
        slices.GetItemAsObject(n).JumpSliceByCentering(*position)


def show_3d(node: Any, visible: bool) -> None:
    """Makes the surface, once, and shows or hides it."""
    if visible:
        node.CreateClosedSurfaceRepresentation()
    node.GetDisplayNode().SetVisibility3D(visible)


def save_nrrd(node: Any, path: str) -> None:
    """Writes the segmentation as it is now, edits included, as Slicer's .seg.nrrd."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetScene(node.GetScene())
    storage.SetFileName(path)
    if not storage.WriteData(node):
        raise OSError(f"{path} could not be written")
