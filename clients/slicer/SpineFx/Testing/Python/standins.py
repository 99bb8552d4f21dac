"""The module's panel without Slicer's application: PySide6 as ``qt``, and stand-ins for CTK's and qMRML's widgets.

What is shown this way is the layout and the module's own code at work; it is not Slicer's look. The stand-ins
are driven by a real MRML scene.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import slicer
import slicer.util
from PySide6 import QtCore, QtUiTools, QtWidgets

MODULE = Path(__file__).resolve().parents[2]


class qMRMLWidget(QtWidgets.QWidget):
    """The panel's outermost widget: hands the scene on."""

    def setMRMLScene(self, scene: Any) -> None:
        for box in self.findChildren(qMRMLNodeComboBox):
            box.setMRMLScene(scene)


class ctkCollapsibleButton(QtWidgets.QGroupBox):
    """A group with a title."""

    def _text(self) -> str:
        return self.title()

    def _set_text(self, text: str) -> None:
        self.setTitle(text)

    def _collapsed(self) -> bool:
        return self.maximumHeight() < 100

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setMaximumHeight(22 if collapsed else 16777215)

    text = QtCore.Property(str, _text, _set_text)
    collapsed = QtCore.Property(bool, _collapsed, _set_collapsed)


class ctkPathLineEdit(QtWidgets.QLineEdit):
    """A line for a path."""

    def _path(self) -> str:
        return self.text()

    def _set_path(self, path: str) -> None:
        self.setText(path)

    currentPath = QtCore.Property(str, _path, _set_path)


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """The nodes of some classes."""

    # Slicer's carries the node. PySide 6.12 loses references of None on Python 3.11, so this one carries nothing,
    # and "no node" is an empty text.
    currentNodeChanged = QtCore.Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._types: list = []
        self._none, self._flags, self._scene = False, {}, None
        self.currentIndexChanged.connect(lambda _: self.currentNodeChanged.emit())

    def _get_types(self) -> list:
        return self._types

    def _set_types(self, types: Any) -> None:
        self._types = list(types)

    def _get_none(self) -> bool:
        return self._none

    def _set_none(self, none: bool) -> None:
        self._none = none

    nodeTypes = QtCore.Property("QStringList", _get_types, _set_types)
    noneEnabled = QtCore.Property(bool, _get_none, _set_none)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent)
        self.tags = [scene.AddObserver(event, lambda *_: self.refresh()) for event in events]
        self.refresh()

    def release(self) -> None:
        """Looks at the scene no more."""
        for tag in self.tags:
            self._scene.RemoveObserver(tag)

    def refresh(self) -> None:
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        if self._none:
            self.addItem("None", "")
        for kind in self._types:
            for n in range(self._scene.GetNumberOfNodesByClass(kind)):
                node = self._scene.GetNthNodeByClass(n, kind)
                self.addItem(node.GetName(), node.GetID())
        self.setCurrentIndex(max(0, self.findData(chosen)) if chosen else 0)
        self.blockSignals(False)
        self.currentNodeChanged.emit()

    def currentNode(self) -> Any:
        identity = self.currentData()
        return self._scene.GetNodeByID(identity) if identity and self._scene else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentIndex(self.findData(node.GetID()))


WIDGETS = (qMRMLWidget, ctkCollapsibleButton, ctkPathLineEdit, qMRMLNodeComboBox)


class ScriptedLoadableModuleWidget:
    """As Slicer's, as far as the module uses it."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.layout = parent.layout()

    def setup(self) -> None:
        """Nothing: there is no Reload & Test here."""

    def resourcePath(self, name: str) -> str:
        return str(MODULE / "Resources" / name)


def load_ui(path: str) -> Any:
    """As slicer.util.loadUI."""
    loader = QtUiTools.QUiLoader()
    for widget in WIDGETS:
        loader.registerCustomWidget(widget)
    made = loader.load(path)
    assert made is not None, loader.errorString()
    return made


def child_widgets(widget: Any) -> Any:
    """As slicer.util.childWidgetVariables."""
    return types.SimpleNamespace(
        **{w.objectName(): w for w in widget.findChildren(QtWidgets.QWidget) if w.objectName()}
    )


def application(settings_folder: Path) -> Any:
    """Qt's application, with settings of its own."""
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])
    app.setOrganizationName("spinefx-test")
    app.setApplicationName("spinefx-test")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
    QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope, str(settings_folder))
    return app


def install() -> Any:
    """Makes ``import SpineFx`` work and returns the module."""
    qt = types.ModuleType("qt")
    for part in (QtCore, QtWidgets):
        for name in dir(part):
            if name.startswith("Q"):
                setattr(qt, name, getattr(part, name))
    base = types.ModuleType("slicer.ScriptedLoadableModule")
    for name in ("ScriptedLoadableModule", "ScriptedLoadableModuleLogic"):
        setattr(base, name, type(name, (), {"__init__": lambda self, *_: None}))
    import unittest

    test = type("ScriptedLoadableModuleTest", (unittest.TestCase,), {"delayDisplay": lambda self, *_: None})
    base.ScriptedLoadableModuleTest = test  # type: ignore[attr-defined]
    base.ScriptedLoadableModuleWidget = ScriptedLoadableModuleWidget  # type: ignore[attr-defined]
    sys.modules["qt"], sys.modules["slicer.ScriptedLoadableModule"] = qt, base
    slicer.util.loadUI, slicer.util.childWidgetVariables = load_ui, child_widgets
    slicer.util.confirmOkCancelDisplay = lambda *_: True
    slicer.util.startupEnvironment = lambda: None
    for name in ("options", "settings", "words", "results"):
        _import_with_properties(f"SpineFxUi.{name}")
    _import_with_properties("SpineFx")
    return sys.modules["SpineFx"]


def _import_with_properties(name: str) -> None:
    """Imports a module of ours so that it sees Qt's properties as attributes, as PythonQt has them in Slicer."""
    path = MODULE / (name.replace(".", "/") + ".py")
    importlib.import_module("SpineFxUi")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    marker = "from __future__ import annotations\n"
    source = path.read_text().replace(marker, marker.strip() + "; from __feature__ import true_property\n", 1)
    exec(compile(source, str(path), "exec"), module.__dict__)
