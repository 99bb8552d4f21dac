"""Asks a spinefx server for the fractures on a CT.

    import spinefx_client

    found = spinefx_client.segment("CT/", server="127.0.0.1:50051")
    found.mask          # numpy, (slices, rows, columns): 0 background, 1 fracture
    found.findings      # every connected fracture, largest first

Research only: not for diagnosis.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Union

import numpy as np

from .answer import Finding, Segmentation
from .client import Cancel, Client, OnProgress, Progress
from .connection import Address, Tls
from .errors import SpinefxError
from .geometry import Grid, lps_to_ras
from .local import LocalServer
from .task import Task
from .upload import DicomFiles, Upload, Voxels, of_path

__version__ = "0.1.0"
__all__ = [
    "Address", "Cancel", "Client", "DicomFiles", "Finding", "Grid", "LocalServer", "OnProgress", "Progress",
    "Segmentation", "SpinefxError", "Task", "Tls", "Upload", "Voxels", "lps_to_ras", "of_path", "segment",
    "segment_async",
]  # fmt: skip


def segment(
    ct: Union[str, Path, Any],
    *,
    grid: Optional[Grid] = None,
    server: str = "127.0.0.1:50051",
    token: Optional[str] = None,
    tls: Optional[Tls] = None,
    model: str = "",
    options: Optional[Mapping[str, Any]] = None,
    outputs: Iterable[str] = ("labelmap",),
    on_progress: Optional[OnProgress] = None,
    cancel: Optional[Cancel] = None,
) -> Segmentation:
    """Segments a CT and waits for the answer.

    ``ct`` is the path of a DICOM folder, zip archive or file or of a .nii, .nii.gz, .nrrd or .mha file, or an
    array in HU of the shape (k, j, i), which needs its ``grid``. ``options`` and ``outputs`` are those of the
    server's manifest. Raises :class:`SpinefxError`, whose text says what to do.
    """
    upload = _upload(ct, grid)
    with Client(server, token=token, tls=tls) as client:
        return client.segment(
            upload, model=model, options=options, outputs=outputs, on_progress=on_progress, cancel=cancel
        )


async def segment_async(ct: Union[str, Path, Any], **arguments: Any) -> Segmentation:
    """As :func:`segment`, for asyncio. Cancelling the awaiting task ends the work on the server too."""
    cancel = arguments.pop("cancel", None) or Cancel()
    loop = asyncio.get_running_loop()
    work = loop.run_in_executor(None, lambda: segment(ct, cancel=cancel, **arguments))
    try:
        return await work
    except asyncio.CancelledError:
        cancel.cancel()
        raise


def _upload(ct: Any, grid: Optional[Grid]) -> Upload:
    if isinstance(ct, (str, Path)):
        return of_path(ct)
    array = np.asanyarray(ct)
    if grid is None:
        raise TypeError("an array needs its grid: spinefx_client.Grid(size, spacing_mm, origin_lps, direction)")
    return Voxels(array, grid)
