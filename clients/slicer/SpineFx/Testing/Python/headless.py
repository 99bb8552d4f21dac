"""3D Slicer's own libraries (slicer-core) without its application: just what the module touches, and views that
draw off screen."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Iterable

import numpy as np
import pydicom
import slicer
import slicer.util
import vtk

_logics: dict = {}


def start() -> Any:
    """A scene with the logics that nodes look for. Once a process; again: the same scene, emptied."""
    if _logics:
        application = slicer.app.applicationLogic()
        # Views of the test before must not go on looking at the scene.
        application.GetSliceLogics().RemoveAllItems()
        application.GetViewLogics().RemoveAllItems()
        slicer.mrmlScene.Clear(0)
        return slicer.mrmlScene
    scene = slicer.vtkMRMLScene()
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    for factory in (
        slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
        slicer.vtkMRMLSliceViewDisplayableManagerFactory,
    ):
        factory.GetInstance().SetMRMLApplicationLogic(application)
    for name, kind in (
        ("Volumes", slicer.vtkSlicerVolumesLogic),
        ("Colors", slicer.vtkMRMLColorLogic),
        ("Terminologies", slicer.vtkSlicerTerminologiesModuleLogic),
        ("Segmentations", slicer.vtkSlicerSegmentationsModuleLogic),
        ("SubjectHierarchy", slicer.vtkSlicerSubjectHierarchyModuleLogic),
        ("Sequences", slicer.vtkSlicerSequencesLogic),
        ("Models", slicer.vtkSlicerModelsLogic),
    ):
        logic = kind()
        logic.SetMRMLScene(scene)
        logic.SetMRMLApplicationLogic(application)
        application.SetModuleLogic(name, logic)
        _logics[name.lower()] = logic
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    slicer.mrmlScene = scene
    slicer.modules = types.SimpleNamespace(
        **{name: types.SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in _logics.items()}
    )
    slicer.app = types.SimpleNamespace(
        processEvents=lambda: None,
        applicationLogic=lambda: application,
        temporaryPath="/tmp",
        testingEnabled=lambda: True,
    )
    return scene


def load_series(files: Iterable[Path], name: str = "CT") -> Any:
    """A DICOM series as Slicer's DICOM module loads it: files sorted along the slices' normal, then read by Slicer."""

    def position(path: Path) -> float:
        image = pydicom.dcmread(path, stop_before_pixels=True)
        row, column = np.reshape(np.array(image.ImageOrientationPatient, float), (2, 3))
        return float(np.cross(row, column) @ np.array(image.ImagePositionPatient, float))

    names = vtk.vtkStringArray()
    for path in sorted(files, key=position):
        names.InsertNextValue(str(path))
    node = _logics["volumes"].AddArchetypeVolume(names.GetValue(0), name, 0, names)
    assert node is not None, name
    return node


class View:
    """A view that draws into memory."""

    def __init__(self, factory: Any, managers: Any, size: Any) -> None:
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetSize(*size)
        self.renderer = vtk.vtkRenderer()
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        for manager in managers:
            if not factory.GetInstance().IsDisplayableManagerRegistered(manager):
                factory.GetInstance().RegisterDisplayableManager(manager)
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.Initialize(factory.GetInstance(), self.renderer)

    def png(self, path: Any) -> None:
        """Draws and saves."""
        self.window.Render()
        image = vtk.vtkWindowToImageFilter()
        image.SetInput(self.window)
        image.ReadFrontBufferOff()
        image.SetInputBufferTypeToRGB()
        writer = vtk.vtkPNGWriter()
        writer.SetFileName(str(path))
        writer.SetInputConnection(image.GetOutputPort())
        writer.Write()


class SliceView(View):
    """Axial, Sagittal or Coronal."""

    def __init__(self, scene: Any, name: str, size: Any = (500, 500)) -> None:
        managers = ["vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLModelSliceDisplayableManager"]
        super().__init__(slicer.vtkMRMLSliceViewDisplayableManagerFactory, managers, size)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        # Two-dimensional actors draw in the order in which they were added: the image first, or the mask would be
        # blended with black.
        self.mapper = vtk.vtkImageMapper()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self.mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)
        application = slicer.app.applicationLogic()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(application)
        application.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(scene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetMappedInLayout(1)
        self.group.SetMRMLDisplayableNode(self.node)
        self.node.SetOrientation(name)

    def show(self, volume: Any) -> None:
        """Fits the view to a volume."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self.logic.ResizeSliceNode(*self.window.GetSize())
        self.logic.FitSliceToBackground()

    def png(self, path: Any) -> None:
        """Draws and saves."""
        self.logic.UpdatePipeline()
        self.mapper.SetInputConnection(self.logic.GetImageDataConnection())
        super().png(path)


class View3D(View):
    """Three dimensions."""

    def __init__(self, scene: Any, size: Any = (500, 500)) -> None:
        names = ("Camera", "View", "Model")
        managers = [f"vtkMRML{name}DisplayableManager" for name in names] + ["vtkMRMLSegmentationsDisplayableManager3D"]
        super().__init__(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, managers, size)
        application = slicer.app.applicationLogic()
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(application)
        application.GetViewLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(scene)
        self.node = self.logic.AddViewNode("ThreeD")
        self.node.SetMappedInLayout(1)
        self.group.SetMRMLDisplayableNode(self.node)
        self.node.SetBoxVisible(0)
        self.node.SetAxisLabelsVisible(0)
