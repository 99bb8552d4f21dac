"""The result part of the panel: table, jumping, 3D, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import qt
from SpineFxLib import packages


class ResultPanel:
    """Shows the result that is chosen; ``seg_files`` has the DICOM SEG of those that have one."""

    def __init__(self, ui: Any, seg_files: Dict[str, bytes], say: Callable[..., None]) -> None:
        self.ui, self.seg_files, self.say = ui, seg_files, say
        ui.show3DButton.clicked.connect(lambda *_: self.show_3d())
        ui.exportNrrdButton.clicked.connect(lambda *_: self.export_nrrd())
        ui.exportSegButton.clicked.connect(lambda *_: self.export_seg())
        ui.findingsTable.cellDoubleClicked.connect(lambda row, *_: self.jump(row))

    @property
    def node(self) -> Any:
        """The chosen segmentation, or None."""
        return self.ui.resultSelector.currentNode()

    def update(self) -> None:
        """Enables what can be pressed, and fills the table."""
        ui, node = self.ui, self.node
        for button in (ui.show3DButton, ui.exportNrrdButton):
            button.enabled = node is not None
        ui.exportSegButton.enabled = node is not None and node.GetID() in self.seg_files
        if node is not None:
            ui.show3DButton.checked = bool(node.GetDisplayNode() and node.GetDisplayNode().GetVisibility3D())
        self._fill()

    def _fill(self) -> None:
        cells: List[List[str]] = []
        names: List[str] = []
        if self.node is not None and not packages.missing():
            from SpineFxLib import nodes

            table = nodes.table_of(self.node)
            if table is not None:
                cells = nodes.rows(table)
                names = [name + (f" ({unit})" if unit else "") for name, _, unit in nodes.COLUMNS]
        shown = self.ui.findingsTable
        shown.rowCount, shown.columnCount = len(cells), len(names)
        shown.setHorizontalHeaderLabels(names)
        for row, texts in enumerate(cells):
            for column, text in enumerate(texts):
                shown.setItem(row, column, qt.QTableWidgetItem(text))
        shown.resizeColumnsToContents()

    def jump(self, row: int) -> None:
        """Brings the slices to a finding."""
        from SpineFxLib import nodes

        if nodes.table_of(self.node) is not None:
            nodes.jump(self.node, row)

    def show_3d(self) -> None:
        """Shows or hides the surface."""
        from SpineFxLib import nodes

        if self.node is not None:
            nodes.show_3d(self.node, bool(self.ui.show3DButton.checked))

    def export_nrrd(self) -> None:
        """Saves the segmentation as it is now."""
        from SpineFxLib import nodes

        path = self.ask_path("segmentation.seg.nrrd", "Segmentation (*.seg.nrrd)")
        if path:
            self._export(lambda: nodes.save_nrrd(self.node, path), path)

    def export_seg(self) -> None:
        """Saves the DICOM SEG that the server made."""
        content = self.seg_files.get(self.node.GetID(), b"")
        path = self.ask_path("mask.seg.dcm", "DICOM SEG (*.dcm)")
        if path and content:
            self._export(lambda: Path(path).write_bytes(content), path)

    def _export(self, write: Callable[[], Any], path: str) -> None:
        try:
            write()
            self.say(f"Saved: {path}")
        except OSError as error:
            self.say(f"The file could not be written: {error}", bad=True)

    def ask_path(self, name: str, kinds: str) -> str:
        """Where to save; empty: nowhere."""
        found = qt.QFileDialog.getSaveFileName(None, "SpineFx", name, kinds)
        return str(found[0] if isinstance(found, tuple) else found)
