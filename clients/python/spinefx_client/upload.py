"""What is sent, cut into chunks while it is sent: no copy of the volume is made."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from .errors import SpinefxError
from .geometry import Grid
from .segplugin.v1 import segmentation_plugin_pb2 as pb

CHUNK = 1 << 20
"""Largest chunk in bytes: what the protocol recommends."""
PAYS_BELOW = 0.8
"""Compressing pays when a sample shrinks below this share of its bytes."""
_SAMPLE = 1 << 18
_FORMATS = (
    (".nii.gz", pb.FILE_FORMAT_NIFTI_GZ),
    (".nii", pb.FILE_FORMAT_NIFTI),
    (".nrrd", pb.FILE_FORMAT_NRRD),
    (".mha", pb.FILE_FORMAT_META_IMAGE),
)

Part = Tuple[int, bytes]


class Voxels:
    """Bare voxels in HU. They go as 16-bit integers, rounded and clamped slab by slab."""

    def __init__(self, voxels: Any, grid: Grid) -> None:
        array = np.asanyarray(voxels)
        if array.shape != grid.shape:
            raise SpinefxError("VOLUME_SHAPE", {"found": array.shape, "expected": grid.shape})
        if array.dtype.kind not in "iufb":
            raise SpinefxError("VALUE_TYPE", {"found": array.dtype})
        self.array = array
        self.grid = grid

    @property
    def byte_count(self) -> int:
        """Bytes before compression."""
        return 2 * self.grid.voxels

    def put_into(self, header: pb.SegmentVolumeHeader) -> None:
        """Announces them."""
        i = self.grid
        grid = pb.Grid(size=i.size, spacing_mm=i.spacing_mm, origin_lps=i.origin_lps, direction=i.direction)
        header.raw.CopyFrom(pb.RawVolume(grid=grid, voxel_type=pb.VOXEL_TYPE_INT16))

    def parts(self) -> Iterator[Part]:
        """Slab after slab, all part 0."""
        slices, rows, columns = self.array.shape
        # Rows, not slices: one slice of a very large volume may itself be larger than a chunk.
        step = max(1, CHUNK // (2 * columns))
        for k in range(slices):
            for j in range(0, rows, step):
                yield 0, to_int16(self.array[k, j : j + step]).tobytes()


class DicomFiles:
    """DICOM files of one series (others are the server's to refuse), read while they are sent."""

    def __init__(self, files: Sequence[Union[str, Path]]) -> None:
        self.files = [Path(file) for file in files]
        self.byte_count = sum(_size(file) for file in self.files)

    def put_into(self, header: pb.SegmentVolumeHeader) -> None:
        """Announces them; empty files are left out, so their number is not told."""
        header.dicom.CopyFrom(pb.DicomInstances())

    def parts(self) -> Iterator[Part]:
        """One part a file."""
        number = 0
        for file in self.files:
            pieces = _pieces(file)
            first = next(pieces, b"")
            if not first:
                continue
            yield number, first
            for piece in pieces:
                yield number, piece
            number += 1


class DicomZip:
    """A zip archive of DICOM files, unpacked while it is sent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.byte_count = _size(path)

    def put_into(self, header: pb.SegmentVolumeHeader) -> None:
        """Announces it."""
        header.dicom.CopyFrom(pb.DicomInstances())

    def parts(self) -> Iterator[Part]:
        """One part a file of the archive."""
        number = 0
        try:
            with zipfile.ZipFile(self.path) as archive:
                for entry in sorted(archive.namelist()):
                    with archive.open(entry) as file:
                        pieces = iter(lambda: file.read(CHUNK), b"")
                        sent = False
                        for piece in pieces:
                            yield number, piece
                            sent = True
                    number += sent
        except (zipfile.BadZipFile, zlib.error) as error:
            raise SpinefxError("ZIP", {"name": self.path.name}, detail=str(error)) from error


class ImageFile:
    """One NIfTI, NRRD or MetaImage file in HU."""

    def __init__(self, path: Path, file_format: int) -> None:
        self.path, self.format = path, file_format
        self.byte_count = _size(path)

    def put_into(self, header: pb.SegmentVolumeHeader) -> None:
        """Announces it."""
        header.file.CopyFrom(pb.EncodedFile(format=self.format, byte_count=self.byte_count))  # type: ignore[arg-type]

    def parts(self) -> Iterator[Part]:
        """Piece after piece, all part 0."""
        return ((0, piece) for piece in _pieces(self.path))


Upload = Union[Voxels, DicomFiles, DicomZip, ImageFile]


def of_path(path: Union[str, Path]) -> Upload:
    """A folder or zip archive of DICOM files, one DICOM file, or a .nii, .nii.gz, .nrrd or .mha file."""
    path = Path(path)
    name = path.name.lower()
    for ending, file_format in _FORMATS:
        if name.endswith(ending):
            return ImageFile(path, file_format)
    if path.is_dir():
        return DicomFiles(_files_below(path))
    if _size(path) and zipfile.is_zipfile(path):
        return DicomZip(path)
    return DicomFiles([path])


def to_int16(values: Any) -> Any:
    """HU as little-endian 16-bit integers: rounded, clamped; NaN is refused."""
    array = np.asarray(values)
    if array.dtype == np.dtype("<i2"):
        return array
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise SpinefxError("NOT_A_NUMBER")
        return np.clip(np.rint(array), -32768, 32767).astype("<i2")
    if array.dtype.kind == "b":
        return array.astype("<i2")
    # The bounds must be numbers of the type itself: some versions of numpy refuse others.
    own = np.iinfo(array.dtype)
    return np.clip(array, max(-32768, own.min), min(32767, own.max)).astype("<i2")


def pays(upload: Upload, local: bool) -> bool:
    """Whether to compress: not towards this computer, not what is packed already, not noise."""
    if local or not isinstance(upload, Voxels):
        return False
    middle = upload.array.shape[0] // 2
    sample = to_int16(upload.array[middle]).tobytes()[:_SAMPLE]
    return len(zlib.compress(sample, 1)) < PAYS_BELOW * len(sample)


def messages(upload: Upload, gzip: bool) -> Iterator[Tuple[pb.SegmentVolumeRequest, int]]:
    """The chunks, each with the uncompressed bytes that are sent with it."""
    open_part: Optional[int] = None
    packer = _packer()
    for part, data in upload.parts():
        if gzip:
            if open_part is not None and part != open_part:
                yield _chunk(open_part, packer.flush()), 0
                packer = _packer()
            open_part = part
            packed = packer.compress(data)
        else:
            packed = data
        if packed:
            yield _chunk(part, packed), len(data)
    if open_part is not None:
        yield _chunk(open_part, packer.flush()), 0


def _packer() -> Any:
    # 31: a gzip stream. Level 1: five times as fast as 6, and CT shrinks nearly as much.
    return zlib.compressobj(1, zlib.DEFLATED, 31)


def _chunk(part: int, data: bytes) -> pb.SegmentVolumeRequest:
    return pb.SegmentVolumeRequest(chunk=pb.Chunk(part=part, data=data))


def _files_below(folder: Path) -> List[Path]:
    files = sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))
    if not files:
        raise SpinefxError("FOLDER_EMPTY", {"path": folder})
    return files


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SpinefxError("FILE_MISSING", {"path": path}) from error


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")
    except OSError as error:
        raise SpinefxError("FILE_MISSING", {"path": path}) from error
