"""A server that dies, hangs, is old, is none, or sends nonsense: one sentence each, and soon."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import threading
import time
from typing import Any

import grpc
import numpy as np
import pytest
import spinefx_client
from conftest import Fake, drain
from spinefx_client import Cancel, Client, Grid, Progress, SpinefxError, Task, Voxels
from spinefx_client.segplugin.v1 import segmentation_plugin_pb2 as pb

GRID = Grid((8, 6, 4), (1, 1, 2), (0, 0, 0))
CT = np.zeros(GRID.shape, np.int16)


def refused(fake: Fake, silence_s: float = 5.0) -> SpinefxError:
    with Client(fake.address) as client:
        client.silence_s = silence_s
        with pytest.raises(SpinefxError) as caught:
            client.segment(Voxels(CT, GRID))
    return caught.value


def answer(content: bytes, **announced: Any) -> Any:
    """A good answer with one output, but for what is announced otherwise."""
    g = pb.Grid(size=GRID.size, spacing_mm=GRID.spacing_mm, origin_lps=GRID.origin_lps, direction=GRID.direction)
    facts = {"name": "mask.raw", "byte_count": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    output = pb.Output(**{**facts, **announced})
    yield pb.SegmentVolumeResponse(accepted=pb.Accepted(request_id="r"))
    yield pb.SegmentVolumeResponse(result=pb.Result(grid=g, outputs=[output]))
    for at in range(0, len(content), 50):
        yield pb.SegmentVolumeResponse(chunk=pb.Chunk(part=0, data=content[at : at + 50]))
    yield pb.SegmentVolumeResponse(completed=pb.Completed())


def test_a_good_answer_passes(fake: Fake) -> None:
    mask = np.arange(GRID.voxels, dtype=np.uint8)
    uploads = []

    def segment(requests: Any, _: Any) -> Any:
        uploads.append(drain(requests))
        yield from answer(mask.tobytes())

    fake.segment = segment
    with Client(fake.address, token="secret") as client:
        found = client.segment(Voxels(CT, GRID), compress=True)
        assert (found.mask == mask.reshape(GRID.shape)).all() and found.grid == GRID
    assert fake.metadata["authorization"] == "Bearer secret"
    header = uploads[0][0]
    assert header.upload_compression == pb.COMPRESSION_GZIP and list(header.raw.grid.size) == [8, 6, 4]


@pytest.mark.parametrize(
    ("announced", "reason"),
    [
        ({"sha256": "0" * 64}, "OUTPUT"),
        ({"byte_count": 100}, "OUTPUT"),
        ({"byte_count": 500}, "OUTPUT"),
        ({"name": "../../evil"}, "OUTPUT"),
        ({"name": "C:evil"}, "OUTPUT"),
        ({"compression": pb.COMPRESSION_GZIP}, "OUTPUT"),
    ],
)
def test_an_answer_unlike_its_announcement(fake: Fake, announced: Any, reason: str) -> None:
    fake.segment = lambda requests, _: (drain(requests), answer(bytes(GRID.voxels), **announced))[1]
    assert refused(fake).reason == reason


def test_an_answer_that_ends_early(fake: Fake) -> None:
    fake.segment = lambda requests, _: iter([pb.SegmentVolumeResponse(accepted=pb.Accepted())])
    assert refused(fake).reason == "PROTOCOL"


def working(requests: Any, context: Any) -> Any:
    drain(requests)
    for n in range(1000):
        if not context.is_active():
            return
        yield pb.SegmentVolumeResponse(progress=pb.Progress(stage=pb.STAGE_INFER, fraction=n / 1000))
        time.sleep(0.02)


def test_a_server_that_dies_while_it_works(fake: Fake) -> None:
    fake.segment = working
    threading.Timer(0.5, lambda: fake.server.stop(0)).start()
    error = refused(fake)
    assert error.reason in ("CONNECTION_LOST", "OTHER"), error.detail


def test_a_server_that_says_nothing_more(fake: Fake) -> None:
    def segment(requests: Any, context: Any) -> Any:
        drain(requests)
        yield pb.SegmentVolumeResponse(accepted=pb.Accepted())
        while context.is_active():
            time.sleep(0.05)

    fake.segment = segment
    started = time.monotonic()
    assert refused(fake, silence_s=1.0).reason == "SILENT"
    assert time.monotonic() - started < 5


def test_cancel_reaches_the_server(fake: Fake) -> None:
    gone = threading.Event()

    def segment(requests: Any, context: Any) -> Any:
        context.add_callback(gone.set)
        yield from working(requests, context)

    fake.segment = segment
    with Client(fake.address) as client:
        task = Task(lambda p, c: client.segment(Voxels(CT, GRID), on_progress=p, cancel=c)).start()
        seen = []
        deadline = time.monotonic() + 10
        while not task.finished and time.monotonic() < deadline:
            seen += task.poll()
            if any(p.stage == "infer" for p in seen):
                task.cancel()
            time.sleep(0.01)
    assert task.error is not None and task.error.cancelled
    assert gone.wait(5)


def test_cancel_before_the_start(fake: Fake) -> None:
    cancel = Cancel()
    cancel.cancel()
    with Client(fake.address) as client, pytest.raises(SpinefxError) as caught:
        client.segment(Voxels(CT, GRID), cancel=cancel)
    assert caught.value.cancelled


def test_cancelling_the_awaiting_task_ends_the_work(fake: Fake) -> None:
    gone = threading.Event()

    def segment(requests: Any, context: Any) -> Any:
        context.add_callback(gone.set)
        yield from working(requests, context)

    fake.segment = segment

    async def run() -> None:
        task = asyncio.ensure_future(spinefx_client.segment_async(CT, grid=GRID, server=fake.address))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert gone.wait(5)


def test_an_input_that_cannot_be_read_to_its_end(fake: Fake) -> None:
    fake.segment = lambda requests, _: (drain(requests), answer(b""))[1]
    broken = np.zeros(GRID.shape, np.float32)
    broken[3, 5, 7] = np.nan
    with Client(fake.address) as client, pytest.raises(SpinefxError) as caught:
        client.segment(Voxels(broken, GRID))
    assert caught.value.reason == "NOT_A_NUMBER"


def test_a_volume_over_the_limits_is_refused_unsent(fake: Fake) -> None:
    fake.manifest.limits.voxels = 100
    fake.segment = lambda *_: pytest.fail("it was sent")
    error = refused(fake)
    assert error.reason == "TOO_LARGE" and "192 voxels" in str(error) and "100 voxels" in str(error)


def test_an_old_server(fake: Fake) -> None:
    fake.manifest.protocol = "segplugin.v0"
    error = refused(fake)
    assert error.reason == "OTHER_PROTOCOL" and "segplugin.v0" in str(error)
    # This fake has no ListModels, as a server of before it had none.
    with Client(fake.address) as client, pytest.raises(SpinefxError) as caught:
        client.models()
    assert caught.value.reason == "OLD_SERVER"


def test_options_and_outputs_that_the_server_has_not(fake: Fake) -> None:
    fake.manifest.options.add(name="threshold", type="number", minimum=0, maximum=1, exclusive_minimum=True)
    with Client(fake.address) as client:
        for arguments in (
            {"options": {"treshold": 1}},
            {"options": {"threshold": 0}},
            {"options": {"threshold": 1.5}},
            {"options": {"series_uid": "1.2"}},
            {"outputs": ["hologram"]},
            {"outputs": ["nifti"]},
        ):
            with pytest.raises(SpinefxError) as caught:
                client.segment(Voxels(CT, GRID), **arguments)
            assert caught.value.reason == "OPTION", arguments


def test_nobody_and_somebody_else() -> None:
    class Web(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Silence."""

    with http.server.HTTPServer(("127.0.0.1", 0), Web) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        for server, reasons in (
            ("127.0.0.1:1", {"UNREACHABLE"}),
            (f"127.0.0.1:{web.server_port}", {"UNREACHABLE", "NOT_SPINEFX"}),
            (f"https://127.0.0.1:{web.server_port}", {"TLS"}),
            ("no such host", {"ADDRESS"}),
            ("ftp://127.0.0.1", {"ADDRESS"}),
            ("127.0.0.1:99999", {"ADDRESS"}),
        ):
            with pytest.raises(SpinefxError) as caught, Client(server) as client:
                client.manifest(timeout_s=5)
            assert caught.value.reason in reasons, (server, caught.value.reason, caught.value.detail)
        web.shutdown()


def test_progress_and_queue(fake: Fake) -> None:
    def segment(requests: Any, _: Any) -> Any:
        yield pb.SegmentVolumeResponse(accepted=pb.Accepted(queue_place=2, expected_wait_s=30))
        drain(requests)
        yield pb.SegmentVolumeResponse(progress=pb.Progress(stage=pb.STAGE_QUEUED, queue_place=1))
        yield pb.SegmentVolumeResponse(progress=pb.Progress(stage=pb.STAGE_INFER, fraction=0.5))
        yield pb.SegmentVolumeResponse(progress=pb.Progress(stage=99))  # type: ignore[arg-type]
        yield from answer(bytes(GRID.voxels))

    fake.segment = segment
    seen: list = []
    with Client(fake.address) as client:
        client.segment(Voxels(CT, GRID), on_progress=seen.append)
    for expected in (
        Progress("queued", 0.0, 2, 30.0),
        Progress("upload", 1.0),
        Progress("queued", 0.0, 1),
        Progress("infer", 0.5),
        Progress("working", 0.0),
        Progress("download", 1.0),
    ):
        assert expected in seen, (expected, seen)


def test_status_codes_without_a_reason(fake: Fake) -> None:
    codes = {
        grpc.StatusCode.UNAUTHENTICATED: "TOKEN",
        grpc.StatusCode.CANCELLED: "CANCELLED",
        grpc.StatusCode.UNIMPLEMENTED: "OLD_SERVER",
        grpc.StatusCode.INTERNAL: "OTHER",
    }
    for code, reason in codes.items():
        fake.segment = lambda requests, context, code=code: context.abort(code, "words")
        assert refused(fake).reason == reason
