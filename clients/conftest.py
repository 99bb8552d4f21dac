"""What the tests of both clients share: the real server, a real block of CT, a server that misbehaves."""

from __future__ import annotations

import io
import os
import zipfile
from concurrent import futures
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

import grpc
import numpy as np
import pydicom
import pytest
from spinefx_client import LocalServer
from spinefx_client.segplugin.v1 import segmentation_plugin_pb2 as pb
from spinefx_client.segplugin.v1 import segmentation_plugin_pb2_grpc as rpc

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared/data"
MEASURED: List[str] = []
"""What tests measured, one line each; printed at the end."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints what was measured."""
    for line in MEASURED:
        terminalreporter.write_line(line)


def shared(name: str) -> Path:
    """A part of the shared CT. Absent: the test skips aloud, and fails in CI."""
    path = SHARED / name
    if path.exists():
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{path} is missing")
    pytest.skip(f"SKIP: {path} is not here")


@pytest.fixture(scope="session")
def program() -> str:
    """The program spinefx: SPINEFX_PROGRAM, as `make test-slicer` sets it."""
    return os.environ.get("SPINEFX_PROGRAM", str(ROOT / "target/release/spinefx"))


@pytest.fixture(scope="session")
def server(program: str) -> Iterator[str]:
    """The address of a running server."""
    with LocalServer(program) as running:
        yield running.address


COLUMNS = slice(40, 60)
"""Of the block: a narrow strip, since the model reads sagittal slices and each costs seconds of CPU."""


@pytest.fixture(scope="session")
def oblique(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real strip of S01, 20 x 100 x 32, whose axes are oblique."""
    folder = tmp_path_factory.mktemp("oblique")
    with zipfile.ZipFile(shared("S08_derived_lidc/oblique.zip")) as archive:
        for name in archive.namelist():
            image = pydicom.dcmread(io.BytesIO(archive.read(name)))
            along_row = np.array(image.ImageOrientationPatient[:3], float) * float(image.PixelSpacing[1])
            first = np.array(image.ImagePositionPatient, float) + along_row * COLUMNS.start
            image.ImagePositionPatient = [f"{v:.8g}" for v in first]
            image.PixelData = image.pixel_array[:, COLUMNS].tobytes()
            image.Columns = COLUMNS.stop - COLUMNS.start
            image.save_as(folder / Path(name).name)
    return folder


class Fake(rpc.SegmentationPluginServiceServicer):
    """A server whose SegmentVolume is a function of the test's."""

    def __init__(self, manifest: pb.Manifest) -> None:
        self.manifest = manifest
        self.segment: Callable[[Iterator[pb.SegmentVolumeRequest], Any], Iterator[pb.SegmentVolumeResponse]]
        self.address = ""
        self.server: Any = None
        self.metadata: Any = None

    def GetManifest(self, request: Any, context: Any) -> pb.GetManifestResponse:
        """The test's manifest."""
        self.metadata = dict(context.invocation_metadata())
        return pb.GetManifestResponse(manifest=self.manifest)

    def SegmentVolume(self, request_iterator: Any, context: Any) -> Any:
        """The test's function."""
        return self.segment(request_iterator, context)


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A misbehaving server; set ``fake.segment`` and ``fake.manifest``."""
    manifest = pb.Manifest(protocol="segplugin.v1", outputs=[pb.OutputSpec(kind="labelmap")])
    servicer = Fake(manifest)
    running = grpc.server(futures.ThreadPoolExecutor(4))
    rpc.add_SegmentationPluginServiceServicer_to_server(servicer, running)
    servicer.address = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
    servicer.server = running
    running.start()
    yield servicer
    running.stop(None)


def drain(requests: Iterator[pb.SegmentVolumeRequest]) -> List[Any]:
    """[header, uncompressed?] bytes of every chunk; for fakes that want the whole upload."""
    header: Optional[pb.SegmentVolumeHeader] = None
    parts: List[bytes] = []
    for request in requests:
        if request.WhichOneof("message") == "header":
            header = request.header
        else:
            while len(parts) <= request.chunk.part:
                parts.append(b"")
            parts[request.chunk.part] += request.chunk.data
    return [header, *parts]
