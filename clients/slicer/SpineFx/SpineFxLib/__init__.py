"""What the SpineFx module does with volumes and results; no user interface, no Qt.

Geometry, the client and its task are those of the package ``spinefx_client`` (``clients/python``), the same that
is installed by pip: CMake puts it beside this module when the extension is built, and from a checkout it is
found where it lies. There is one source and no copy.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PLACES = (Path(__file__).resolve().parents[1], Path(__file__).resolve().parents[3] / "python")
for _place in _PLACES:
    if (_place / "spinefx_client").is_dir() and str(_place) not in sys.path:
        sys.path.append(str(_place))
        break
