"""What the extension installs works by itself, with nothing of the checkout beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from conftest import ROOT

EXTENSION = ROOT / "clients/slicer"


def test_the_installed_files_are_enough(tmp_path: Path) -> None:
    """Configured and installed by CMake, with a stand-in for Slicer's own macros."""
    build, prefix = tmp_path / "build", tmp_path / "prefix"
    for command in (
        ["cmake", "-S", str(EXTENSION), "-B", str(build), f"-DSlicer_DIR={EXTENSION / 'Testing/cmake'}"],
        ["cmake", "--install", str(build), "--prefix", str(prefix)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    module = prefix / "lib/Slicer/qt-scripted-modules"
    sources = {p.relative_to(EXTENSION / "SpineFx") for p in (EXTENSION / "SpineFx").rglob("*.py")}
    sources = {p for p in sources if p.parts[0] != "Testing"}
    assert all((module / path).is_file() for path in sources), "a file is missing in CMakeLists.txt"
    for name in ("UI/SpineFx.ui", "Icons/SpineFx.png", "requirements.txt"):
        assert (module / "Resources" / name).is_file()
    code = "import SpineFxLib.crops, SpineFxLib.nodes, spinefx_client; print(spinefx_client.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(module)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip().splitlines()[-1]).is_relative_to(module)


def test_a_checkout_is_enough_too(tmp_path: Path) -> None:
    """As "Additional module paths" has it: SpineFxLib finds the package where it lies."""
    code = "import SpineFxLib, spinefx_client; print(spinefx_client.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(EXTENSION / "SpineFx")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).is_relative_to(ROOT / "clients/python")


def test_the_wheel_asks_for_what_slicer_installs() -> None:
    """One list of requirements, but for numpy, which Slicer has."""
    import tomllib

    project = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]
    lines = (EXTENSION / "SpineFx/Resources/requirements.txt").read_text().splitlines()
    wanted = {line for line in lines if line and not line.startswith("#")}
    assert {d for d in project["dependencies"] if not d.startswith("numpy")} == wanted


def test_every_widget_that_the_panel_names_is_in_the_ui_file() -> None:
    import re

    ui = ET.parse(EXTENSION / "SpineFx/Resources/UI/SpineFx.ui")
    names = {widget.get("name") for widget in ui.iter("widget")}
    used = set(re.findall(r"\bui\.(\w+)", (EXTENSION / "SpineFx/SpineFx.py").read_text()))
    assert used and used <= names, used - names
