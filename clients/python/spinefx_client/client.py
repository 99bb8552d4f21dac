"""A server, as seen from here."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional

import grpc

from . import options as option_list
from .answer import Receiver, Segmentation, stage_name
from .connection import Address, Tls, call_metadata, open_channel
from .errors import SpinefxError, from_rpc
from .segplugin.v1 import segmentation_plugin_pb2 as pb
from .segplugin.v1 import segmentation_plugin_pb2_grpc as rpc
from .upload import Upload, Voxels, messages, pays

PROTOCOL = "segplugin.v1"
SILENCE_S = 30.0
"""The server reports at least once a second; after this long without a word it is given up."""


@dataclass(frozen=True)
class Progress:
    """How far a request is."""

    stage: str
    """upload, queued, decode, preprocess, infer, postprocess, encode, download."""
    fraction: float
    """Of this stage, 0 to 1; 0 while unknown."""
    queue_place: int = 0
    """While queued: how many requests must end first."""
    expected_wait_s: Optional[float] = None


OnProgress = Callable[[Progress], None]


class Cancel:
    """Ends a request from another thread. May be called at any time, any number of times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: List[Any] = []
        self.wanted = False

    def cancel(self) -> None:
        """Ends the request: the server stops too."""
        with self._lock:
            self.wanted = True
            calls = list(self._calls)
        for call in calls:
            call.cancel()

    def bind(self, call: Any) -> None:
        """Lets :meth:`cancel` end this call."""
        with self._lock:
            self._calls.append(call)
            wanted = self.wanted
        if wanted:
            call.cancel()


class Client:
    """Talks to one server. Threads may share it; close it, or use it in a ``with``."""

    def __init__(self, server: str, *, token: Optional[str] = None, tls: Optional[Tls] = None) -> None:
        self.address = Address.parse(server)
        self.silence_s = SILENCE_S
        self._metadata = call_metadata(token)
        self._channel = open_channel(self.address, tls or Tls())
        self._stub: Any = rpc.SegmentationPluginServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._manifest: Optional[pb.Manifest] = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection, and every call on it."""
        self._channel.close()

    def manifest(self, timeout_s: float = 10.0) -> pb.Manifest:
        """What the server is, takes and gives. Also the test of a connection. Asked for once."""
        if self._manifest is None:
            answer = self._unary("GetManifest", pb.GetManifestRequest(), timeout_s)
            if answer.manifest.protocol != PROTOCOL:
                found = answer.manifest.protocol or "another protocol"
                raise SpinefxError("OTHER_PROTOCOL", {"found": found, "expected": PROTOCOL})
            self._manifest = answer.manifest
        return self._manifest

    def models(self, timeout_s: float = 10.0) -> List[pb.Model]:
        """The models that can be asked for by name."""
        return list(self._unary("ListModels", pb.ListModelsRequest(), timeout_s).models)

    def _unary(self, method: str, request: Any, timeout_s: float) -> Any:
        call = getattr(self._stub, method)
        try:
            return call(request, timeout=timeout_s, metadata=self._metadata, wait_for_ready=False)
        except grpc.RpcError as error:
            raise from_rpc(error, str(self.address), method=method) from error

    def check(self, upload: Upload) -> None:
        """Refuses what the server's limits forbid, before a byte is sent."""
        limits = self.manifest().limits
        voxels = upload.grid.voxels if isinstance(upload, Voxels) else 0
        too_many = 0 < limits.voxels < voxels
        if too_many or (isinstance(upload, Voxels) and 0 < limits.upload_bytes < upload.byte_count):
            variables = {"voxels": voxels, "bytes": upload.byte_count}
            variables.update(limit_voxels=limits.voxels, limit_bytes=limits.upload_bytes)
            raise SpinefxError("TOO_LARGE", variables)

    def segment(
        self,
        upload: Upload,
        *,
        model: str = "",
        options: Optional[Mapping[str, Any]] = None,
        outputs: Iterable[str] = ("labelmap",),
        compress: Optional[bool] = None,
        on_progress: Optional[OnProgress] = None,
        cancel: Optional[Cancel] = None,
    ) -> Segmentation:
        """Sends a volume and waits for the answer.

        ``options`` are the manifest's, by name; ``outputs`` its kinds; ``compress`` decides by itself when
        ``None``. ``on_progress`` is called on other threads. Raises :class:`SpinefxError` for all that fails.
        """
        self.check(upload)
        gzip = pays(upload, self.address.local) if compress is None else compress
        sent = option_list.message(self.manifest(), options or {}, outputs)
        if not self.address.local:
            sent.output_compression = pb.COMPRESSION_GZIP
        header = pb.SegmentVolumeHeader(request_id=str(uuid.uuid4()), model=model, options=sent)
        header.upload_compression = pb.COMPRESSION_GZIP if gzip else pb.COMPRESSION_UNSPECIFIED
        upload.put_into(header)
        return _Call(self, upload, header, on_progress or (lambda _: None), cancel or Cancel()).run(gzip)


class _Call:
    """One SegmentVolume from its header to its end."""

    def __init__(
        self, client: Client, upload: Upload, header: pb.SegmentVolumeHeader, on_progress: OnProgress, cancel: Cancel
    ) -> None:
        self.client, self.upload, self.header = client, upload, header
        self.on_progress, self.cancel = on_progress, cancel
        self.failure: Optional[SpinefxError] = None
        self.heard: Optional[float] = None
        self.talked = False
        self.uploaded = False

    def run(self, gzip: bool) -> Segmentation:
        if self.cancel.wanted:
            raise SpinefxError("CANCELLED")
        stub, metadata = self.client._stub, self.client._metadata
        call = stub.SegmentVolume(self._requests(gzip), metadata=metadata)
        self.cancel.bind(call)
        done = threading.Event()
        threading.Thread(target=self._watch, args=(call, done), daemon=True, name="spinefx-watch").start()
        try:
            return self._receive(call)
        except grpc.RpcError as error:
            raise self._why(error) from error
        finally:
            done.set()
            call.cancel()

    def _why(self, error: grpc.RpcError) -> SpinefxError:
        if self.cancel.wanted:
            return SpinefxError("CANCELLED")
        found = from_rpc(error, str(self.client.address), method="SegmentVolume", talked=self.talked)
        # What failed here ends the call there, so it goes first.
        return self.failure or found

    def _requests(self, gzip: bool) -> Iterator[pb.SegmentVolumeRequest]:
        """Runs on gRPC's own thread, which takes the next message when the one before is on its way."""
        try:
            yield pb.SegmentVolumeRequest(header=self.header)
            total, sent, told = max(1, self.upload.byte_count), 0, 0.0
            for message, size in messages(self.upload, gzip):
                if self.cancel.wanted:
                    return
                yield message
                sent += size
                if sent / total - told >= 0.01:
                    told = min(1.0, sent / total)
                    self.on_progress(Progress("upload", told))
            self.uploaded = True
            self.heard = time.monotonic()
        except SpinefxError as error:
            self.failure = error
            raise
        except Exception as error:
            self.failure = SpinefxError("INPUT", {"what": f"{type(error).__name__}: {error}"})
            raise

    def _watch(self, call: Any, done: threading.Event) -> None:
        """Gives up a server that says nothing. While uploading, gRPC's own pings find a dead network."""
        while not done.wait(0.25):
            quiet = self.client.silence_s
            if self.heard is not None and time.monotonic() - self.heard > quiet:
                self.failure = SpinefxError("SILENT", {"seconds": f"{quiet:.0f}"})
                call.cancel()
                return

    def _receive(self, call: Any) -> Segmentation:
        receiver = Receiver()
        coming, came = 0, 0
        for message in call:
            self.talked = True
            if self.heard is not None:
                self.heard = time.monotonic()
            kind = message.WhichOneof("event")
            if kind == "accepted":
                receiver.request_id = message.accepted.request_id
                self._accepted(message.accepted)
            elif kind == "progress":
                p = message.progress
                self.on_progress(Progress(stage_name(p.stage), p.fraction, p.queue_place))
            elif kind == "result":
                receiver.result(message.result)
                coming = sum(output.byte_count for output in message.result.outputs)
            elif kind == "chunk":
                receiver.chunk(message.chunk)
                came += len(message.chunk.data)
                self.on_progress(Progress("download", came / max(1, coming)))
            elif kind == "completed":
                return receiver.completed(message.completed)
        raise SpinefxError("PROTOCOL", {"what": "the answer ended before the work was completed"})

    def _accepted(self, accepted: pb.Accepted) -> None:
        wait = accepted.expected_wait_s if accepted.HasField("expected_wait_s") else None
        self.on_progress(Progress("queued", 0.0, accepted.queue_place, wait))


def describe(manifest: pb.Manifest) -> Dict[str, str]:
    """What a person wants to know of a server, in a few lines."""
    return {
        "plugin": f"{manifest.name} {manifest.version}",
        "intended use": manifest.intended_use,
        "models": ", ".join(m.name + (" (default)" if m.default else "") for m in manifest.models),
        "segments": ", ".join(s.label for s in manifest.segments),
    }
