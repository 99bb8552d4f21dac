#!/usr/bin/env bash
# Installs what `make test-slicer` needs: slicer-core (3D Slicer's own libraries without its windows), PySide6
# and the linters into .venv-slicer, and Mesa for drawing without a screen. Run it as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=clients/slicer/Testing/requirements.txt

missing=()
for package in libegl1 libgl1 libgl1-mesa-dri libglib2.0-0 libxkbcommon0 libdbus-1-3 libfontconfig1 openssl; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "setup-slicer: needs Debian or Ubuntu, or install: ${missing[*]}" >&2; exit 1; }
  root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

python=
for candidate in python3.11 python3.12 python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || { echo "setup-slicer: slicer-core needs Python 3.11 or 3.12" >&2; exit 1; }
[ -x .venv-slicer/bin/python ] || "$python" -m venv .venv-slicer
if ! cmp -s "$requirements" .venv-slicer/installed.txt; then
  .venv-slicer/bin/pip install -q -r "$requirements" >&2
  cp "$requirements" .venv-slicer/installed.txt
fi
