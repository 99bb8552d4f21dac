"""Volumes in, results out, without a server: the answer is made up here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import headless
import numpy as np
import pytest
import slicer
import SpineFxLib  # noqa: F401
import vtk
from spinefx_client import Finding, Segmentation, SpinefxError
from spinefx_client.segplugin.v1 import segmentation_plugin_pb2 as pb
from SpineFxLib import crops, nodes, volumes
from SpineFxUi.selftest import generated_volume, mask_ras, voxels_ras

SEGMENT = pb.Segment(
    number=1,
    label="Fracture of the spine",
    category=pb.CodedConcept(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure"),
    type=pb.CodedConcept(value="72704001", scheme="SCT", meaning="Fracture"),
    anatomy=pb.CodedConcept(value="421060004", scheme="SCT", meaning="Spine"),
    color_srgb=[230, 60, 50],
    opacity=0.25,
)
OTHER = pb.Segment(number=2, label="Nothing of this", color_srgb=[0, 0, 255])


@pytest.fixture
def scene() -> Any:
    return headless.start()


def made_up(source: volumes.Source) -> crops.Prepared:
    """An answer with one box of voxels, off the middle."""
    mask = np.zeros(source.grid.shape, np.uint8)
    mask[5:9, 20:35, 4:11] = 1
    mask[6, 25, 6] = 0
    at = tuple((source.grid.ijk_to_lps() @ [7, 27, 6.5, 1])[:3])
    finding = Finding(1, 1, 123.456, at, at, at, (4, 20, 5), (10, 34, 8), 0.7, 0.9, 6)
    answer = Segmentation("r", "m", "w", source.grid, [finding], ["A note."], {"mask.raw": mask.tobytes()})
    return crops.prepare(answer, source, [1, 2], as_dicom=False)


def segment_ras(node: Any) -> Any:
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("segment_1", image)
    return voxels_ras(image)


def test_zero_error_and_the_negative_control(scene: Any) -> None:
    volume = generated_volume()
    source = volumes.read(volume)
    prepared = made_up(source)
    node, _ = nodes.add_result(scene, prepared, [SEGMENT, OTHER])
    found, expected = segment_ras(node), mask_ras(prepared.answer.mask, source.ijk_to_ras)
    assert found.shape == expected.shape and np.abs(found - expected).max() == 0.0
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, "segment_1", volume)
    assert (mask == prepared.answer.mask).all()
    # Whoever forgets that Slicer speaks RAS puts the mask elsewhere: no voxel in common.
    prepared.ijk_to_ras = source.grid.ijk_to_lps()
    wrong, _ = nodes.add_result(scene, prepared, [SEGMENT])
    wrong.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(wrong, "segment_1", volume)
    assert not (mask.astype(bool) & prepared.answer.mask.astype(bool)).any()


def test_name_colour_opacity_terminology(scene: Any) -> None:
    node, _ = nodes.add_result(scene, made_up(volumes.read(generated_volume())), [SEGMENT, OTHER])
    segment = node.GetSegmentation().GetSegment("segment_1")
    assert segment.GetName() == SEGMENT.label
    assert np.allclose(segment.GetColor(), [230 / 255, 60 / 255, 50 / 255])
    display = node.GetDisplayNode()
    assert display.GetSegmentOpacity2DFill("segment_1") == 0.25
    assert display.GetSegmentOpacity3D("segment_1") == 0.25
    assert display.GetSegmentOpacity3D("segment_2") == nodes.DEFAULT_OPACITY
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.modules.terminologies.logic()
    text = vtk.reference("")
    assert segment.GetTag(segment.GetTerminologyEntryTagName(), text)
    assert logic.DeserializeTerminologyEntry(str(text), entry)
    assert entry.GetCategoryObject().GetCodeValue() == "49755003"
    assert entry.GetTypeObject().GetCodeMeaning() == "Fracture"
    assert entry.GetRegionObject().GetCodeValue() == "421060004"
    assert node.GetSegmentation().GetSegment("segment_2") is not None, "a segment without voxels is there too"


def test_table_and_jump(scene: Any) -> None:
    view = headless.SliceView(scene, "Axial")
    volume = generated_volume()
    view.show(volume)
    source = volumes.read(volume)
    node, table = nodes.add_result(scene, made_up(source), [SEGMENT, OTHER])
    assert nodes.table_of(node) is table
    cells = nodes.rows(table)
    assert cells[0][:3] == ["1", "Fracture of the spine", "123.46"] and cells[0][6:] == ["6", "0.70", "0.90"]
    expected = (source.ijk_to_ras @ [7, 27, 6.5, 1])[:3]
    assert np.allclose(nodes.position_ras(node, 0), expected)
    nodes.jump(node, 0)
    origin = view.node.GetSliceToRAS()
    assert np.allclose([origin.GetElement(n, 3) for n in range(3)], expected)


def turned(scene: Any) -> Any:
    parent = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Turn")
    matrix = np.eye(4)
    matrix[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    matrix[:3, 3] = [17, -5, 3]
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return parent, matrix


def test_a_parent_transform_moves_the_result_alike(scene: Any) -> None:
    volume = generated_volume()
    parent, matrix = turned(scene)
    volume.SetAndObserveTransformNodeID(parent.GetID())
    source = volumes.read(volume)
    assert any("Turn" in note for note in source.notes)
    node, _ = nodes.add_result(scene, made_up(source), [SEGMENT])
    assert node.GetTransformNodeID() == parent.GetID()
    world = matrix @ source.ijk_to_ras @ [7, 27, 6.5, 1]
    assert np.allclose(nodes.position_ras(node, 0), world[:3])


def test_a_hardened_turn_is_fine_and_a_hardened_shear_is_refused(scene: Any) -> None:
    volume = generated_volume()
    parent, matrix = turned(scene)
    volume.SetAndObserveTransformNodeID(parent.GetID())
    before = volumes.read(volume).ijk_to_ras
    volume.HardenTransform()
    source = volumes.read(volume)
    assert source.transform_id is None and np.allclose(source.ijk_to_ras, matrix @ before)
    node, _ = nodes.add_result(scene, made_up(source), [SEGMENT])
    assert np.abs(segment_ras(node) - mask_ras(made_up(source).answer.mask, source.ijk_to_ras)).max() == 0.0
    shear = np.eye(4)
    shear[0, 1] = 0.3
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shear))
    volume.SetAndObserveTransformNodeID(parent.GetID())
    volumes.read(volume)
    sheared = slicer.util.arrayFromVTKMatrix(parent.GetMatrixTransformToParent()) @ source.ijk_to_ras
    node = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.int16), sheared, "sheared")
    directions = node  # Slicer itself keeps axes of a volume as they are given.
    with pytest.raises(SpinefxError) as caught:
        volumes.read(directions)
    assert caught.value.reason == "VOLUME_SHEARED" and "Resample" in str(caught.value)


def volume_of(array: Any, kind: str = "vtkMRMLScalarVolumeNode") -> Any:
    return slicer.util.addVolumeFromArray(array, np.eye(4), "v", kind)


def test_what_is_no_ct(scene: Any) -> None:
    ct = np.linspace(-1000, 1500, 1000).astype(np.int16).reshape(10, 10, 10)
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    label = volume_of(ct.astype(np.uint8), "vtkMRMLLabelMapVolumeNode")
    colour = volume_of(np.zeros((4, 5, 6, 3), np.uint8), "vtkMRMLVectorVolumeNode")
    suv = volume_of(ct)
    unit = slicer.vtkCodedEntry()
    unit.SetValueSchemeMeaning("{SUVbw}g/ml", "UCUM", "Standardized Uptake Value")
    suv.SetVoxelValueUnits(unit)
    for node, reason in (
        (empty, "VOLUME_EMPTY"),
        (label, "VOLUME_KIND"),
        (colour, "VOLUME_KIND"),
        (suv, "VOLUME_NOT_CT"),
    ):
        with pytest.raises(SpinefxError) as caught:
            volumes.read(node)
        assert caught.value.reason == reason
    assert volumes.read(volume_of(ct)).doubts == []
    assert "No voxel is below 0" in volumes.read(volume_of(ct - ct.min())).doubts[0]
    assert "no CT" in volumes.read(volume_of((ct / 3000).astype(np.float32))).doubts[0]


class Database:
    """As Slicer's DICOM database, as far as it is asked."""

    def __init__(self, modality: str, files: Any) -> None:
        self.modality, self.files = modality, files

    def instanceValue(self, uid: str, tag: str) -> str:
        return self.modality if tag == "0008,0060" else ""

    def fileForInstance(self, uid: str) -> str:
        return self.files.get(uid, "")


def test_modality_and_files_of_a_dicom_volume(scene: Any, tmp_path: Path) -> None:
    node = volume_of(np.linspace(-1000, 1500, 1000).astype(np.int16).reshape(10, 10, 10))
    node.SetAttribute("DICOM.instanceUIDs", "1.2 1.3")
    with pytest.raises(SpinefxError) as caught:
        volumes.read(node, Database("MR", {}))
    assert "MR" in str(caught.value)
    files = {"1.2": str(tmp_path / "a"), "1.3": str(tmp_path / "b")}
    (tmp_path / "a").touch()
    assert volumes.read(node, Database("CT", files)).dicom_files == []
    (tmp_path / "b").touch()
    assert volumes.read(node, Database("CT", files)).dicom_files == [tmp_path / "a", tmp_path / "b"]
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = tree.CreateItem(tree.GetSceneItemID(), node)
    tree.SetItemAttribute(item, "DICOM.Modality", "PT")
    with pytest.raises(SpinefxError) as caught:
        volumes.read(node, Database("CT", files))
    assert "PT" in str(caught.value)


def test_a_sequences_frame_stays_as_it_was(scene: Any) -> None:
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "CT over time")
    frames = [np.full((4, 5, 6), value, np.int16) for value in (-1000, 200)]
    frames[0][0], frames[1][0] = 300, -900
    for n, frame in enumerate(frames):
        sequence.SetDataNodeAtValue(volume_of(frame), str(n))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic = slicer.modules.sequences.logic()
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    source = volumes.read(browser.GetProxyNode(sequence))
    assert "frame 2" in source.name and any("frame 2" in note for note in source.notes)
    browser.SetSelectedItemNumber(0)
    logic.UpdateProxyNodesFromSequences(browser)
    assert (source.voxels == frames[1]).all(), "the frame that was shown, not the one that is"


def test_a_volume_that_went_away_and_one_that_changed(scene: Any) -> None:
    volume = generated_volume()
    source = volumes.read(volume)
    prepared = made_up(source)
    moved = slicer.util.vtkMatrixFromArray(np.diag([2.0, 2, 2, 1]))
    volume.SetIJKToRASMatrix(moved)
    node, _ = nodes.add_result(scene, prepared, [SEGMENT])
    assert np.abs(segment_ras(node) - mask_ras(prepared.answer.mask, source.ijk_to_ras)).max() == 0.0
    scene.RemoveNode(volume)
    with pytest.raises(SpinefxError) as caught:
        nodes.add_result(scene, prepared, [SEGMENT])
    assert caught.value.reason == "VOLUME_GONE"


def test_no_finding(scene: Any) -> None:
    source = volumes.read(generated_volume())
    answer = Segmentation("r", "m", "w", source.grid, [], [], {"mask.raw": bytes(source.grid.voxels)})
    node, table = nodes.add_result(scene, crops.prepare(answer, source, [1], as_dicom=False), [SEGMENT])
    assert node.GetSegmentation().GetNumberOfSegments() == 1 and table.GetNumberOfRows() == 0


def test_a_mask_that_lies_elsewhere_is_refused(scene: Any) -> None:
    source = volumes.read(generated_volume())
    prepared = made_up(source)
    other = Segmentation(**{**vars(prepared.answer), "grid": type(source.grid)(source.grid.size, (1, 1, 1), (0, 0, 0))})
    with pytest.raises(SpinefxError) as caught:
        crops.prepare(other, source, [1], as_dicom=False)
    assert caught.value.reason == "PROTOCOL"


def test_lattices_whose_axes_run_the_other_way(scene: Any) -> None:
    source = volumes.read(generated_volume())
    flipped = source.ijk_to_ras.copy()
    flipped[:3, 3] += flipped[:3, 2] * (source.grid.size[2] - 1)
    flipped[:3, 2] *= -1
    other = type(source.grid).from_ijk_to_ras(flipped, source.grid.size)
    assert crops.same_lattice(other, source.grid)
    flipped[0, 3] += 0.5
    assert not crops.same_lattice(type(source.grid).from_ijk_to_ras(flipped, source.grid.size), source.grid)


def test_nrrd_there_and_back_with_the_codes(scene: Any, tmp_path: Path) -> None:
    volume = generated_volume()
    prepared = made_up(volumes.read(volume))
    node, _ = nodes.add_result(scene, prepared, [SEGMENT, OTHER])
    path = str(tmp_path / "out.seg.nrrd")
    nodes.save_nrrd(node, path)
    assert "72704001" in Path(path).read_bytes()[:20000].decode("latin1")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(path)
    again = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "again")
    assert storage.ReadData(again)
    back = slicer.util.arrayFromSegmentBinaryLabelmap(again, "segment_1", volume)
    assert (back == prepared.answer.mask).all()
    with pytest.raises(OSError):
        nodes.save_nrrd(node, "/no/such/folder/out.seg.nrrd")
