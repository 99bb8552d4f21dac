"""Where voxels are in the patient.

The protocol speaks LPS (x to the patient's Left, y to Posterior, z to Superior); 3D Slicer speaks RAS. Both are
millimetres of voxel centres, and the only difference is the sign of x and y. Names carry ``_lps`` or ``_ras``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .errors import SpinefxError

Three = Tuple[float, float, float]
Size = Tuple[int, int, int]
Matrix = NDArray[np.float64]

LPS_TO_RAS: Matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Also RAS to LPS: it is its own inverse."""

ORTHONORMAL = 1e-3
"""How far axes may be from perpendicular unit vectors; the server's own tolerance."""


def _three(values: Any) -> Three:
    a, b, c = (float(v) for v in values)
    return a, b, c


@dataclass(frozen=True)
class Grid:
    """A regular lattice in LPS space: ``position = origin_lps + direction @ (spacing_mm * (i, j, k))``."""

    size: Size
    """Voxels along i, j, k; i varies fastest in memory, so arrays have the shape (k, j, i)."""
    spacing_mm: Three
    origin_lps: Three
    direction: Tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    """Row-major 3 x 3; column n is the unit vector of axis n."""

    def __post_init__(self) -> None:
        directions = np.asarray(self.direction, np.float64)
        if len(self.size) != 3 or min(self.size) < 1:
            raise SpinefxError("VOLUME_EMPTY", {"size": self.size})
        numbers = np.array([*self.spacing_mm, *self.origin_lps, *directions])
        if numbers.shape != (15,) or not np.isfinite(numbers).all() or min(self.spacing_mm) <= 0:
            raise SpinefxError("VOLUME_GEOMETRY")
        axes = directions.reshape(3, 3)
        if np.abs(axes.T @ axes - np.eye(3)).max() > ORTHONORMAL:
            raise SpinefxError("VOLUME_SHEARED")

    @classmethod
    def from_ijk_to_ras(cls, matrix: Any, size: Sequence[int]) -> Grid:
        """From Slicer's IJK-to-RAS matrix (4 x 4) and the voxels along i, j, k.

        Raises :class:`SpinefxError` when the axes are not perpendicular (a hardened shear) or not finite.
        """
        lps = LPS_TO_RAS @ np.asarray(matrix, np.float64)
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        if not np.isfinite(lps).all() or spacing.min() <= 0:
            raise SpinefxError("VOLUME_GEOMETRY")
        direction = lps[:3, :3] / spacing
        i, j, k = (int(n) for n in size)
        return cls((i, j, k), _three(spacing), _three(lps[:3, 3]), tuple(float(v) for v in direction.ravel()))

    @classmethod
    def from_message(cls, message: Any) -> Grid:
        """From the protocol's ``Grid``."""
        if len(message.size) != 3 or len(message.spacing_mm) != 3 or len(message.origin_lps) != 3:
            raise SpinefxError("PROTOCOL", {"what": "a grid without its three axes"})
        i, j, k = (int(n) for n in message.size)
        return cls((i, j, k), _three(message.spacing_mm), _three(message.origin_lps), tuple(message.direction))

    @property
    def voxels(self) -> int:
        """How many there are."""
        i, j, k = self.size
        return i * j * k

    @property
    def shape(self) -> Size:
        """The shape of an array on this grid: (k, j, i)."""
        i, j, k = self.size
        return k, j, i

    def ijk_to_lps(self) -> Matrix:
        """4 x 4: index (i, j, k, 1) to millimetres, LPS."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.direction).reshape(3, 3) * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_lps
        return matrix

    def ijk_to_ras(self) -> Matrix:
        """4 x 4: index (i, j, k, 1) to millimetres, RAS."""
        return LPS_TO_RAS @ self.ijk_to_lps()

    def same_place(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether every voxel of both lies in the same place, asked of the corners."""
        if self.size != other.size:
            return False
        ends = [(0, n - 1) for n in self.size]
        corners = np.array([(i, j, k, 1) for i in ends[0] for j in ends[1] for k in ends[2]], float).T
        return bool(np.abs((self.ijk_to_lps() - other.ijk_to_lps()) @ corners).max() <= tolerance_mm)


def lps_to_ras(position: Sequence[float]) -> Three:
    """A position in the other convention; the way back is the same."""
    x, y, z = position
    return -float(x), -float(y), float(z)
