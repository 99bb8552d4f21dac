"""What a request can set: read off the server's manifest, nothing of it known here."""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping

from .errors import SpinefxError
from .segplugin.v1 import segmentation_plugin_pb2 as pb

TRANSPORT = ("outputs", "output_compression")
"""Options that a client settles by itself; a user is not asked for them."""


def offered(manifest: pb.Manifest) -> List[pb.OptionSpec]:
    """The options that a user can set with this client: those that the protocol's message has a field for."""
    fields = pb.SegmentOptions.DESCRIPTOR.fields_by_name
    return [spec for spec in manifest.options if spec.name in fields and spec.name not in TRANSPORT]


def default_model(manifest: pb.Manifest) -> str:
    """The name of the model that a request without one gets; empty where there is none."""
    return next((model.name for model in manifest.models if model.default), "")


def message(manifest: pb.Manifest, values: Mapping[str, Any], outputs: Iterable[str]) -> pb.SegmentOptions:
    """The options as sent. ``None`` leaves one to the server; ``outputs`` are kinds, such as "labelmap"."""
    options = pb.SegmentOptions()
    specs = {spec.name: spec for spec in offered(manifest)}
    for name, value in values.items():
        if value is None:
            continue
        if name not in specs:
            raise SpinefxError(
                "OPTION", {"name": name, "value": value, "expected": f"this server has {', '.join(specs)}"}
            )
        setattr(options, name, _checked(specs[name], value))
    known = {kind[len("OUTPUT_KIND_") :].lower(): number for kind, number in pb.OutputKind.items() if number}
    made = {spec.kind for spec in manifest.outputs}
    for kind in outputs:
        if kind not in known or kind not in made:
            raise SpinefxError(
                "OPTION", {"name": "outputs", "value": kind, "expected": f"this server has {', '.join(sorted(made))}"}
            )
        options.outputs.append(known[kind])  # type: ignore[arg-type]
    return options


def _checked(spec: pb.OptionSpec, value: Any) -> Any:
    if spec.type == "boolean":
        return bool(value)
    if spec.type != "number":
        text = str(value)
        if spec.allowed and text not in spec.allowed:
            raise SpinefxError(
                "OPTION", {"name": spec.name, "value": text, "expected": "one of " + ", ".join(spec.allowed)}
            )
        return text
    number = float(value)
    low = spec.minimum if spec.HasField("minimum") else float("-inf")
    high = spec.maximum if spec.HasField("maximum") else float("inf")
    if not low <= number <= high or (spec.exclusive_minimum and number == low):
        above = "above" if spec.exclusive_minimum else "from"
        raise SpinefxError("OPTION", {"name": spec.name, "value": value, "expected": f"{above} {low:g} to {high:g}"})
    return number
