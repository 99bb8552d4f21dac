"""What comes back, checked against what was announced."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import numpy as np
from numpy.typing import NDArray

from .errors import SpinefxError
from .geometry import Grid, Size, Three
from .segplugin.v1 import segmentation_plugin_pb2 as pb

LABELMAP, PROBABILITIES = "mask.raw", "probabilities.raw"


@dataclass(frozen=True)
class Finding:
    """One connected region of the mask. Positions are millimetres, LPS."""

    id: int
    segment: int
    volume_mm3: float
    centroid_lps: Three
    box_min_lps: Three
    box_max_lps: Three
    box_min_vox: Size
    box_max_vox: Size
    mean_probability: float
    max_probability: float
    slice: int


@dataclass
class Segmentation:
    """The answer to one request."""

    request_id: str
    """Names the request in the server's log."""
    model: str
    weights_sha256: str
    grid: Grid
    """The source's own grid."""
    findings: List[Finding]
    """Largest first; empty: nothing was found."""
    notes: List[str]
    """What was unusual about the input."""
    outputs: Dict[str, bytes]
    """File name to content, unpacked."""
    timings: Dict[str, float] = field(default_factory=dict)
    """Stage to the server's seconds."""
    total_s: float = 0.0

    @property
    def mask(self) -> NDArray[np.uint8]:
        """(k, j, i): 0 background, n segment n; on ``grid``. Only where the labelmap was asked for."""
        mask: NDArray[np.uint8] = self._voxels(LABELMAP, "u1")
        return mask

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(k, j, i), 0 to 1. Only where probabilities were asked for."""
        probabilities: NDArray[np.float32] = self._voxels(PROBABILITIES, "<f4")
        return probabilities

    def _voxels(self, name: str, dtype: str) -> Any:
        if name not in self.outputs:
            raise KeyError(f"{name} was not asked for")
        values = np.frombuffer(self.outputs[name], dtype)
        if values.size != self.grid.voxels:
            raise SpinefxError("PROTOCOL", {"what": f"{name} has {values.size} voxels of {self.grid.voxels}"})
        return values.reshape(self.grid.shape)

    def save(self, folder: Union[str, Path]) -> List[Path]:
        """Writes every output under its own name; makes the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, content in self.outputs.items():
            path = folder / name
            path.write_bytes(content)
            paths.append(path)
        return paths


class Receiver:
    """Takes the events of one call."""

    def __init__(self) -> None:
        self.request_id = ""
        self._result: Optional[pb.Result] = None
        self._chunks: List[List[bytes]] = []
        self._missing: List[int] = []

    def result(self, result: pb.Result) -> None:
        """The announcement of the outputs."""
        self._result = result
        self._chunks = [[] for _ in result.outputs]
        self._missing = [output.byte_count for output in result.outputs]

    def chunk(self, chunk: pb.Chunk) -> None:
        """A piece of an output."""
        if chunk.part >= len(self._chunks):
            raise SpinefxError("PROTOCOL", {"what": "a piece of an output that was not announced"})
        self._missing[chunk.part] -= len(chunk.data)
        if self._missing[chunk.part] < 0:
            raise SpinefxError("OUTPUT", {"name": self._announced().outputs[chunk.part].name})
        self._chunks[chunk.part].append(chunk.data)

    def completed(self, completed: pb.Completed) -> Segmentation:
        """The end: all outputs, each with the length and the hash that were announced."""
        result = self._announced()
        grid = Grid.from_message(result.grid)
        outputs = {}
        for output, chunks in zip(result.outputs, self._chunks):
            outputs[output.name] = _checked(output, b"".join(chunks), grid)
        return Segmentation(
            request_id=self.request_id,
            model=result.model,
            weights_sha256=result.weights_sha256,
            grid=grid,
            findings=[_finding(message) for message in result.findings],
            notes=list(result.notes),
            outputs=outputs,
            timings={stage_name(t.stage): t.seconds for t in completed.timings},
            total_s=completed.total_s,
        )

    def _announced(self) -> pb.Result:
        if self._result is None:
            raise SpinefxError("PROTOCOL", {"what": "outputs without a result"})
        return self._result


def stage_name(stage: int) -> str:
    """queued, decode, …; a stage of a newer server is 'working'."""
    known = {value: name for name, value in pb.Stage.items()}
    return known.get(stage, "STAGE_WORKING")[len("STAGE_") :].lower()


def _checked(output: pb.Output, content: bytes, grid: Grid) -> bytes:
    good = len(content) == output.byte_count and hashlib.sha256(content).hexdigest() == output.sha256
    # The name becomes a file's: it may hold no folder, of any system.
    plain = output.name not in ("", ".", "..") and not set(output.name) & set("/\\:\0")
    if not good or not plain:
        raise SpinefxError("OUTPUT", {"name": output.name})
    if output.compression == pb.COMPRESSION_UNSPECIFIED:
        return content
    if output.compression != pb.COMPRESSION_GZIP:
        raise SpinefxError("PROTOCOL", {"what": "an output in an unknown compression"})
    unpacker = zlib.decompressobj(31)
    try:
        # No raw output has more than four bytes a voxel.
        unpacked = unpacker.decompress(content, 4 * grid.voxels + 1)
    except zlib.error as error:
        raise SpinefxError("OUTPUT", {"name": output.name}) from error
    if not unpacker.eof:
        raise SpinefxError("OUTPUT", {"name": output.name})
    return unpacked


def _finding(message: pb.Finding) -> Finding:
    def three(values: Any, kind: Any) -> Any:
        if len(values) != 3:
            raise SpinefxError("PROTOCOL", {"what": "a finding without its position"})
        return tuple(kind(v) for v in values)

    return Finding(
        id=message.id,
        segment=message.segment,
        volume_mm3=message.volume_mm3,
        centroid_lps=three(message.centroid_lps, float),
        box_min_lps=three(message.box_min_lps, float),
        box_max_lps=three(message.box_max_lps, float),
        box_min_vox=three(message.box_min_vox, int),
        box_max_vox=three(message.box_max_vox, int),
        mean_probability=message.mean_probability,
        max_probability=message.max_probability,
        slice=message.slice,
    )
