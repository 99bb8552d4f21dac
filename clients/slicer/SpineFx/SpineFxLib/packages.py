"""The Python packages that the client needs inside Slicer. Never torch."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, List

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"


def requirements() -> List[str]:
    """The lines of Resources/requirements.txt."""
    lines = (line.strip() for line in REQUIREMENTS.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def missing() -> bool:
    """Whether the client cannot be imported as it is."""
    try:
        importlib.import_module("spinefx_client")
    except ImportError:
        return True
    return False


def ensure(slicer: Any) -> bool:
    """Installs what is missing, after asking; False when the user said no.

    Slicer 5.12 has slicer.packaging, which shows progress and does not freeze; earlier ones only pip_install.
    """
    if not missing():
        return True
    packaging = getattr(slicer, "packaging", None)
    if packaging is not None and hasattr(packaging, "pip_ensure"):
        packaging.pip_ensure(requirements(), requester="SpineFx")
    else:
        question = "SpineFx needs the Python packages " + ", ".join(requirements()) + ". Install them now?"
        if not slicer.util.confirmOkCancelDisplay(question, "SpineFx"):
            return False
        slicer.util.pip_install(["-r", str(REQUIREMENTS)])
    importlib.invalidate_caches()
    return not missing()
