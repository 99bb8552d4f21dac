"""Draws Resources/Icons/SpineFx.png from the SVG beside it: python clients/slicer/Testing/draw_icon.py."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ICON = Path(__file__).resolve().parents[1] / "SpineFx/Resources/Icons/SpineFx.svg"

image = QImage(128, 128, QImage.Format.Format_ARGB32)
image.fill(Qt.GlobalColor.transparent)
painter = QPainter(image)
QSvgRenderer(str(ICON)).render(painter)
painter.end()
image.save(str(ICON.with_suffix(".png")))
