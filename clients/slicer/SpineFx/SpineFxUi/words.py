"""What the panel says."""

from __future__ import annotations

import logging
from typing import Any, Optional

STAGES = {
    "upload": "Sending the volume",
    "decode": "The server reads the volume",
    "preprocess": "The server prepares the volume",
    "infer": "The model looks for fractures",
    "postprocess": "The server makes mask and findings",
    "encode": "The server writes the results",
    "download": "Receiving the results",
}


def stage(progress: Any) -> str:
    """A stage in words."""
    if progress.stage != "queued":
        return STAGES.get(progress.stage, "The server works") + "…"
    if not progress.queue_place:
        return "Waiting for the server…"
    wait: Optional[float] = progress.expected_wait_s
    return f"Waiting for {progress.queue_place} other request(s)" + (f", about {wait:.0f} s" if wait else "") + "…"


def say(label: Any, text: str, bad: bool, detail: str) -> None:
    """Shows a sentence, in red when it is bad; ``detail`` is for whoever looks closer."""
    label.text = text
    label.styleSheet = "color: #c02020" if bad else ""
    label.toolTip = detail
    if bad:
        logging.warning("SpineFx: %s", text)
