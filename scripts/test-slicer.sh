#!/usr/bin/env bash
# Checks and tests the Python client and the 3D Slicer module. Called by `make test-slicer`.
#
#   scripts/test-slicer.sh PROGRAM
set -euo pipefail
SPINEFX_PROGRAM=$(realpath "$1")
export SPINEFX_PROGRAM
cd "$(dirname "$0")/.."
bin=$PWD/.venv-slicer/bin
module=clients/slicer/SpineFx
sources=(clients/python/spinefx_client "$module/SpineFx.py" "$module/SpineFxLib" "$module/SpineFxUi")

scripts/stubs.sh --check
"$bin/ruff" check --config clients/python/pyproject.toml clients
"$bin/ruff" format --check --config clients/python/pyproject.toml clients
"$bin/vermin" --quiet --target=3.9- --violations --no-tips "${sources[@]}"
"$bin/python" -m compileall -q clients
MYPYPATH=clients/python:$module "$bin/mypy" --config-file clients/python/pyproject.toml "${sources[@]}"
"$bin/python" -m pytest -c clients/pytest.ini clients/python/tests
# One process a file: views that one leaves behind in MRML's application logic spoil the next one's pictures.
for tests in "$module"/Testing/Python/test_*.py; do
  "$bin/python" -m pytest -c clients/pytest.ini "$tests"
done
