"""Who may import whom, as ARCHITECTURE.md has it: the library knows no Slicer, SpineFxLib no Qt."""

import ast
from pathlib import Path

import pytest

CLIENTS = Path(__file__).resolve().parents[2]
MODULE = CLIENTS / "slicer/SpineFx"
FORBIDDEN = (
    (CLIENTS / "python/spinefx_client", {"slicer", "vtk", "qt", "ctk", "SpineFxLib", "SpineFxUi", "torch", "PySide6"}),
    (MODULE / "SpineFxLib", {"qt", "ctk", "SpineFxUi", "SpineFx", "torch", "PySide6"}),
    (MODULE / "SpineFxUi", {"torch", "PySide6"}),
    (MODULE / "SpineFx.py", {"torch", "PySide6", "grpc"}),
)


def imports(path: Path) -> set:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize(("place", "forbidden"), FORBIDDEN)
def test_fences(place: Path, forbidden: set) -> None:
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert files
    for path in files:
        assert not imports(path) & forbidden, path


def test_slicer_starts_without_the_packages() -> None:
    """SpineFx.py is imported when Slicer starts, maybe before grpc is installed: nothing of it at the top."""
    for path in (MODULE / "SpineFx.py", *(MODULE / "SpineFxUi").glob("*.py"), MODULE / "SpineFxLib/packages.py"):
        top = [n for n in ast.parse(path.read_text()).body if isinstance(n, (ast.Import, ast.ImportFrom))]
        names = {getattr(n, "module", None) or n.names[0].name for n in top}
        assert not any(str(name).split(".")[0] in ("grpc", "google", "spinefx_client") for name in names), path
        assert path.name == "packages.py" or not any(
            str(n) in ("SpineFxLib.nodes", "SpineFxLib.volumes", "SpineFxLib.crops") for n in names
        )
