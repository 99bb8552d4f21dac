"""A mask cut down to what is in it, so that the scene gets little and quickly. Runs on the task's thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np
from spinefx_client import Grid, Segmentation, SpinefxError
from spinefx_client.geometry import Matrix

from .volumes import Source

Extent = Tuple[int, int, int, int, int, int]


@dataclass
class Crop:
    """The voxels of one segment."""

    extent: Extent
    """First and last voxel along i, j, k."""
    voxels: Any
    """(k, j, i), 0 or 1."""


@dataclass
class Prepared:
    """A result, ready for the scene."""

    answer: Segmentation
    source: Source
    ijk_to_ras: Matrix
    crops: Dict[int, Crop]
    """Segment number to voxels; segments without voxels have none."""
    notes: List[str]


def prepare(answer: Segmentation, source: Source, segments: Iterable[int], as_dicom: bool) -> Prepared:
    """Cuts every segment out; checks that the mask lies where the volume does."""
    notes = [*source.notes, *answer.notes]
    ijk_to_ras = source.ijk_to_ras
    if as_dicom:
        # The server stacks the files itself: its axes may run the other way, so its own grid places the mask.
        ijk_to_ras = answer.grid.ijk_to_ras()
        if not same_lattice(answer.grid, source.grid):
            notes.append(
                "The volume in the scene is not as the DICOM files have it; the mask lies where the files are."
            )
    elif not answer.grid.same_place(source.grid):
        raise SpinefxError("PROTOCOL", {"what": "the mask lies elsewhere than the volume"})
    found = {number: crop(answer.mask, number) for number in segments}
    return Prepared(answer, source, ijk_to_ras, {n: c for n, c in found.items() if c is not None}, notes)


def crop(mask: Any, number: int) -> Optional[Crop]:
    """The smallest box with all voxels of a segment; None without any."""
    here = mask == number
    ends = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(here.any(axis=others))
        if hit.size == 0:
            return None
        ends.append((int(hit[0]), int(hit[-1])))
    (k0, k1), (j0, j1), (i0, i1) = ends
    voxels = here[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1].astype(np.uint8)
    return Crop((i0, i1, j0, j1, k0, k1), np.ascontiguousarray(voxels))


def same_lattice(a: Grid, b: Grid, tolerance_mm: float = 1e-2) -> bool:
    """Whether both have their voxels in the same places, whichever way their axes run."""
    if sorted(a.size) != sorted(b.size):
        return False
    ends = [(0, n - 1) for n in a.size]
    corners = np.array([(i, j, k, 1) for i in ends[0] for j in ends[1] for k in ends[2]], float)
    index = (np.linalg.inv(b.ijk_to_lps()) @ a.ijk_to_lps() @ corners.T).T[:, :3]
    last = np.array(b.size) - 1
    at_ends = np.minimum(np.abs(index), np.abs(index - last)) * np.array(b.spacing_mm)
    return bool(at_ends.max() <= tolerance_mm)
