"""3D Slicer module: a CT goes to a spinefx server, its fractures come back.

Nothing here waits: requests run on threads (spinefx_client.Task), and a timer takes out what they have to say.
Only the timer's tick touches the scene. Widgets are used by their properties.
"""

from __future__ import annotations

from typing import Any, Dict

import qt
import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin
from SpineFxLib import packages
from SpineFxUi import words
from SpineFxUi.options import OptionForm
from SpineFxUi.results import ResultPanel
from SpineFxUi.settings import Settings, TextFields

TICK_MS = 100
SEG_OUTPUT, SEG_FILE = "dicom_seg", "mask.seg.dcm"


class SpineFx(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "SpineFx"
        parent.categories = ["Segmentation"]
        parent.dependencies = []
        parent.contributors = ["The spinefx authors"]
        parent.helpText = (
            "Asks a spinefx server for the fractures of the spine on a CT and shows them in slices, in 3D and as a "
            "table. Research only: not for diagnosis."
        )
        parent.acknowledgementText = "Method: MSFF network of Saeed et al. 2024, doi:10.1007/s10278-024-01091-0."


class SpineFxLogic(ScriptedLoadableModuleLogic):
    """Requests and results, without windows."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.client: Any = None
        self.manifest: Any = None
        self.seg_files: Dict[str, bytes] = {}
        """DICOM SEG by segmentation node, as the server made it."""

    def connect(self, address: str, token: str, ca: str, certificate: str, key: str) -> Any:
        """A task that asks a server what it is; its result is the manifest."""
        from spinefx_client import Client, Task, Tls

        self.disconnect()
        client = Client(address, token=token or None, tls=Tls(ca or None, certificate or None, key or None))
        self.client = client
        return Task(lambda _progress, _cancel: client.manifest()).start()

    def disconnect(self) -> None:
        """Forgets the server; ends what runs on it."""
        if self.client is not None:
            self.client.close()
        self.client, self.manifest = None, None

    def read(self, volume: Any) -> Any:
        """The volume as it is now, checked. Raises SpinefxError."""
        from SpineFxLib import volumes

        return volumes.read(volume, getattr(slicer, "dicomDatabase", None))

    def segment(self, source: Any, model: str, options: Dict[str, Any], as_dicom: bool) -> Any:
        """A task that segments; its result is for :meth:`show`."""
        from spinefx_client import Task
        from SpineFxLib import crops

        client, segments = self.client, [segment.number for segment in self.manifest.segments]
        outputs = ["labelmap"] + ([SEG_OUTPUT] if as_dicom else [])
        upload = source.upload(as_dicom)

        def work(on_progress: Any, cancel: Any) -> Any:
            answer = client.segment(
                upload, model=model, options=options, outputs=outputs, on_progress=on_progress, cancel=cancel
            )
            return crops.prepare(answer, source, segments, as_dicom)

        return Task(work).start()

    def show(self, prepared: Any) -> Any:
        """Puts a result into the scene and returns the segmentation."""
        from SpineFxLib import nodes

        node, _ = nodes.add_result(slicer.mrmlScene, prepared, self.manifest.segments)
        if SEG_FILE in prepared.answer.outputs:
            self.seg_files[node.GetID()] = prepared.answer.outputs[SEG_FILE]
        return node


class SpineFxWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: Any = None
        self.connecting: Any = None
        self.task: Any = None
        self.local_server: Any = None
        self.doubts_asked: Any = slicer.util.confirmOkCancelDisplay

    def setup(self) -> None:
        """Builds the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/SpineFx.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = SpineFxLogic()
        self.options = OptionForm(self.ui.optionsBox)
        self.results = ResultPanel(self.ui, self.logic.seg_files, self.say)
        ui = self.ui
        fields: TextFields = {
            "address": (ui.addressLineEdit, "text"),
            "token": (ui.tokenLineEdit, "text"),
            "ca": (ui.caPathLineEdit, "currentPath"),
            "certificate": (ui.certificatePathLineEdit, "currentPath"),
            "key": (ui.keyPathLineEdit, "currentPath"),
            "program": (ui.programPathLineEdit, "currentPath"),
        }
        self.settings = Settings(fields, ui.rememberTokenCheckBox)
        self.settings.load()
        self._connect_signals()
        self.timer = qt.QTimer()
        self.timer.interval = TICK_MS
        self.timer.timeout.connect(self.tick)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.on_scene_close)
        self.update()

    def _connect_signals(self) -> None:
        ui = self.ui
        ui.connectButton.clicked.connect(lambda *_: self.connect_server())
        ui.startServerButton.clicked.connect(lambda *_: self.start_server())
        ui.runButton.clicked.connect(lambda *_: self.run())
        ui.cancelButton.clicked.connect(lambda *_: self.cancel())
        ui.modelComboBox.currentTextChanged.connect(lambda *_: self.show_model())
        for selector in (ui.inputSelector, ui.resultSelector):
            selector.currentNodeChanged.connect(lambda *_: self.update())

    def cleanup(self) -> None:
        """Slicer ends, or the module is loaded anew."""
        self.timer.stop()
        self.cancel()
        self.removeObservers()
        if self.logic is not None:
            self.logic.disconnect()
        if self.local_server is not None:
            self.local_server.stop()

    def on_scene_close(self, *_: Any) -> None:
        """The volume goes, and with it the wish for its mask."""
        self.cancel()

    # --- server

    def connect_server(self) -> None:
        """Asks the server what it offers."""
        if self.connecting is not None or self.task is not None:
            return
        if not packages.ensure(slicer):
            self.say_server("The Python packages of the client are not installed.", bad=True)
            return
        from spinefx_client import SpinefxError

        ui = self.ui
        self.settings.save()
        paths = (ui.caPathLineEdit.currentPath, ui.certificatePathLineEdit.currentPath, ui.keyPathLineEdit.currentPath)
        try:
            self.connecting = self.logic.connect(ui.addressLineEdit.text, ui.tokenLineEdit.text, *paths)
        except SpinefxError as error:
            self.say_server(str(error), bad=True)
            return
        self.say_server("Connecting…")
        self.timer.start()
        self.update()

    def start_server(self) -> None:
        """Starts the program on this computer; the tick goes on when it listens."""
        if not packages.ensure(slicer):
            return
        from spinefx_client import LocalServer, SpinefxError

        if self.local_server is not None:
            self.local_server.stop()
        try:
            program = self.ui.programPathLineEdit.currentPath or None
            # Slicer's own libraries and Python must not leak into another program.
            self.local_server = LocalServer(program, environment=slicer.util.startupEnvironment())
        except SpinefxError as error:
            self.say_server(str(error), bad=True)
            return
        self.say_server("Starting a server on this computer…")
        self.timer.start()

    def _tick_local(self) -> None:
        ready = self.local_server.ready
        if ready and self.ui.addressLineEdit.text != self.local_server.address:
            self.ui.addressLineEdit.text = self.local_server.address
            self.connect_server()
        elif ready is False:
            last = self.local_server.log.splitlines()[-1:] or ["it said nothing"]
            self.say_server(f"The server on this computer has ended: {last[0]}", bad=True)
            self.local_server = None

    def _tick_connecting(self) -> None:
        self.connecting.poll()
        if not self.connecting.finished:
            return
        task, self.connecting = self.connecting, None
        if task.error is not None:
            self.logic.disconnect()
            self.say_server(str(task.error), bad=True, detail=task.error.detail)
        else:
            self.on_connected(task.result)
        self.update()

    def on_connected(self, manifest: Any) -> None:
        """Builds models and options from what the server says."""
        self.logic.manifest = manifest
        unsafe = self.ui.tokenLineEdit.text and not (
            self.logic.client.address.secure or self.logic.client.address.local
        )
        warning = " Token and CT travel unencrypted: use https:// where the server has TLS." if unsafe else ""
        self.say_server(f"Connected: {manifest.name} {manifest.version}. {manifest.intended_use}{warning}")
        models = self.ui.modelComboBox
        models.clear()
        for model in manifest.models:
            models.addItem(model.name)
        wanted = [self.settings.model] + [model.name for model in manifest.models if model.default]
        models.currentIndex = next((models.findText(name) for name in wanted if name and models.findText(name) >= 0), 0)
        self.options.build(manifest, self.settings.options)

    def show_model(self) -> None:
        """Says what the chosen model is."""
        manifest = self.logic.manifest
        name = self.ui.modelComboBox.currentText
        model = next((m for m in manifest.models if m.name == name), None) if manifest is not None else None
        self.ui.modelInfoLabel.text = "" if model is None else f"{model.description}. Trained on: {model.training_data}"

    # --- a request

    def run(self) -> None:
        """Sends the volume."""
        volume = self.ui.inputSelector.currentNode()
        if self.logic.manifest is None or volume is None or self.task is not None:
            return
        from spinefx_client import SpinefxError

        self.settings.model, self.settings.options = self.ui.modelComboBox.currentText, self.options.values()
        self.settings.save()
        try:
            source = self.logic.read(volume)
            as_dicom = bool(self.ui.dicomCheckBox.checked)
            if as_dicom and not source.dicom_files:
                as_dicom = False
                source.notes.append(
                    "The volume's DICOM files are not in Slicer's database: its voxels were sent, and there is no DICOM SEG."
                )
            if source.doubts and not self.doubts_asked(" ".join(source.doubts) + " Send it nevertheless?", "SpineFx"):
                return
            self.task = self.logic.segment(source, self.settings.model, self.settings.options, as_dicom)
        except SpinefxError as error:
            self.say(str(error), bad=True)
            return
        self.say("Sending…")
        self.timer.start()
        self.update()

    def cancel(self) -> None:
        """Ends the request; the tick shows when it has ended."""
        if self.task is not None:
            self.task.cancel()
            self.say("Cancelling…")

    def tick(self) -> None:
        """Every 100 ms while something runs. Never waits."""
        if self.local_server is not None and self.connecting is None:
            self._tick_local()
        if self.connecting is not None:
            self._tick_connecting()
        if self.task is not None:
            self._tick_task()
        idle = self.task is None and self.connecting is None
        if idle and (self.local_server is None or self.local_server.ready):
            self.timer.stop()

    def _tick_task(self) -> None:
        for progress in self.task.poll():
            self.ui.progressBar.value = round(100 * progress.fraction)
            self.say(words.stage(progress))
        if not self.task.finished:
            return
        task, self.task = self.task, None
        self.ui.progressBar.value = 0
        if task.error is not None:
            self.say(str(task.error), bad=not task.error.cancelled, detail=task.error.detail)
        else:
            self.on_result(task.result)
        self.update()

    def on_result(self, prepared: Any) -> None:
        """Shows a result."""
        from spinefx_client import SpinefxError

        try:
            node = self.logic.show(prepared)
        except SpinefxError as error:
            self.say(str(error), bad=True)
            return
        self.ui.resultSelector.setCurrentNode(node)
        count = len(prepared.answer.findings)
        self.say(f"Done in {prepared.answer.total_s:.0f} s: {count} finding{'s' if count != 1 else ''}.")
        self.ui.notesLabel.text = " ".join(prepared.notes)
        if count:
            self.results.jump(0)

    # --- what is shown

    def say(self, text: str, *, bad: bool = False, detail: str = "") -> None:
        """One sentence about the request; the server's own words are the tool tip."""
        words.say(self.ui.stageLabel, text, bad, detail)

    def say_server(self, text: str, *, bad: bool = False, detail: str = "") -> None:
        """One sentence about the server."""
        words.say(self.ui.serverLabel, text, bad, detail)

    def update(self) -> None:
        """Enables what can be pressed."""
        ui, busy = self.ui, self.task is not None
        connected = self.logic is not None and self.logic.manifest is not None
        ui.runButton.enabled = connected and not busy and ui.inputSelector.currentNode() is not None
        ui.cancelButton.enabled = busy
        ui.connectButton.enabled = not busy and self.connecting is None
        ui.startServerButton.enabled = not busy
        self.results.update()


class SpineFxTest(ScriptedLoadableModuleTest):
    """The self-test: Reload & Test, or SpineFxTest().runTest(), inside Slicer."""

    def setUp(self) -> None:
        """An empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """All of it."""
        from SpineFxUi.selftest import self_test

        assert packages.ensure(slicer), "the Python packages of the client are not installed"
        self.setUp()
        self.delayDisplay("Starting the self-test")
        self_test(self)
        self.delayDisplay("Test passed")
