"""Widgets for the options that a server's manifest lists."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Tuple

import qt

Getter = Callable[[], Any]
UNBOUNDED = 1e6
"""What a spin box shows as its end where the manifest gives none."""


class OptionForm:
    """Fills a box with one row an option."""

    def __init__(self, box: Any) -> None:
        self.form = box.layout()
        self._get: Dict[str, Getter] = {}

    def build(self, manifest: Any, values: Mapping[str, Any]) -> None:
        """Makes the rows anew; ``values`` are the last ones, by name."""
        from spinefx_client.options import offered

        while self.form.rowCount():
            self.form.removeRow(0)
        self._get = {}
        for spec in offered(manifest):
            widget, self._get[spec.name] = _widget(spec, values.get(spec.name))
            widget.toolTip = spec.description
            self.form.addRow(_title(spec), widget)

    def values(self) -> Dict[str, Any]:
        """What is set; None where the server is to decide."""
        return {name: get() for name, get in self._get.items()}


def _title(spec: Any) -> str:
    """minimum_component_mm3 in mm3: "minimum component (mm3):"."""
    name: str = spec.name[: -len(spec.unit) - 1] if spec.unit and spec.name.endswith(f"_{spec.unit}") else spec.name
    return name.replace("_", " ") + (f" ({spec.unit})" if spec.unit else "") + ":"


def _widget(spec: Any, value: Any) -> Tuple[Any, Getter]:
    if spec.type == "boolean":
        return _boolean(spec, value)
    if spec.type == "number":
        return _number(spec, value)
    return _text(spec, value)


def _boolean(spec: Any, value: Any) -> Tuple[Any, Getter]:
    box = qt.QCheckBox()
    box.checked = bool(spec.default_boolean if value is None else value)
    return box, lambda: bool(box.checked)


def _number(spec: Any, value: Any) -> Tuple[Any, Getter]:
    """A spin box whose lowest value reads as "the model's own" and leaves the number to the server."""
    spin = qt.QDoubleSpinBox()
    low = spec.minimum if spec.HasField("minimum") else -UNBOUNDED
    high = spec.maximum if spec.HasField("maximum") else UNBOUNDED
    fine = high - low <= 10
    spin.decimals = 2 if fine else 1
    step = 0.01 if fine else 0.1
    spin.singleStep = 0.05 if fine else 1.0
    # The smallest that may be sent is `first`; one step below it stands for nothing.
    first = low + step if spec.exclusive_minimum else low
    unset = first - step
    spin.minimum = unset
    spin.maximum = high
    spin.specialValueText = "the server's default" if spec.HasField("default_number") else "the model's own"
    spin.value = float(value) if value is not None else unset
    return spin, lambda: float(spin.value) if spin.value > unset + step / 2 else None


def _text(spec: Any, value: Any) -> Tuple[Any, Getter]:
    if spec.allowed:
        box = qt.QComboBox()
        for allowed in spec.allowed:
            box.addItem(allowed)
        if value in list(spec.allowed):
            box.currentIndex = list(spec.allowed).index(value)
        return box, lambda: str(box.currentText) or None
    line = qt.QLineEdit()
    line.text = str(value or "")
    return line, lambda: str(line.text).strip() or None
