"""What is sent: chunks, conversion, compression; never a copy of the volume."""

import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from spinefx_client import Grid, SpinefxError, Voxels, of_path
from spinefx_client import upload as up


def grid(i: int, j: int, k: int) -> Grid:
    return Grid((i, j, k), (1, 1, 1), (0, 0, 0))


def sent(upload: up.Upload, gzip: bool) -> bytes:
    chunks = [m.chunk for m, _ in up.messages(upload, gzip)]
    assert all(0 < len(c.data) <= up.CHUNK + 64 for c in chunks)
    data = b"".join(c.data for c in chunks)
    return zlib.decompress(data, 31) if gzip else data


@pytest.mark.parametrize("gzip", [False, True])
def test_voxels_arrive_i_fastest(gzip: bool) -> None:
    values = np.arange(-3000, -3000 + 7 * 50 * 60, dtype=np.int32).reshape(7, 50, 60).astype(np.int16)
    assert sent(Voxels(values, grid(60, 50, 7)), gzip) == values.tobytes()
    turned = np.asfortranarray(values)
    assert sent(Voxels(turned, grid(60, 50, 7)), gzip) == values.tobytes()


def test_other_types_are_rounded_and_clamped() -> None:
    cases = {
        "f4": ([-1024.4, 0.6, 1e9], [-1024, 1, 32767]),
        "u2": ([0, 1, 65535], [0, 1, 32767]),
        "i4": ([-70000, 5, 70000], [-32768, 5, 32767]),
        "u1": ([0, 1, 255], [0, 1, 255]),
        "u8": ([0, 1, 2**63], [0, 1, 32767]),
        "?": ([0, 1, 1], [0, 1, 1]),
        ">i2": ([-5, 1, 300], [-5, 1, 300]),
    }
    for dtype, (given, expected) in cases.items():
        data = sent(Voxels(np.array(given, dtype).reshape(1, 1, 3), grid(3, 1, 1)), False)
        assert np.frombuffer(data, "<i2").tolist() == expected, dtype


def test_what_cannot_be_sent_says_why() -> None:
    with pytest.raises(SpinefxError) as caught:
        Voxels(np.zeros((3, 4, 5), np.int16), grid(3, 4, 5))
    assert caught.value.reason == "VOLUME_SHAPE"
    with pytest.raises(SpinefxError) as caught:
        Voxels(np.zeros((1, 1, 1), complex), grid(1, 1, 1))
    assert caught.value.reason == "VALUE_TYPE"
    with pytest.raises(SpinefxError) as caught:
        sent(Voxels(np.full((1, 1, 1), np.nan), grid(1, 1, 1)), False)
    assert caught.value.reason == "NOT_A_NUMBER"


def test_three_gigabytes_go_through_a_few_megabytes() -> None:
    huge = np.broadcast_to(np.int16(-1000), (1500, 1024, 1024))
    upload = Voxels(huge, grid(1024, 1024, 1500))
    tracemalloc.start()
    total = sum(size for _, size in up.messages(upload, False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == upload.byte_count == 3_145_728_000
    assert peak < 16 << 20, peak


def test_compression_when_it_pays() -> None:
    rng = np.random.default_rng(0)
    noise = Voxels(rng.integers(-32768, 32767, (4, 200, 200), np.int16), grid(200, 200, 4))
    body = Voxels(np.zeros((4, 200, 200), np.int16), grid(200, 200, 4))
    assert up.pays(body, local=False)
    assert not up.pays(body, local=True), "towards this computer it only costs"
    assert not up.pays(noise, local=False), "noise does not shrink"


def test_instances_are_parts_without_gaps(tmp_path: Path) -> None:
    for name, content in {"a": b"A" * 3_000_000, "b": b"", "c": b"C", ".hidden": b"H"}.items():
        (tmp_path / name).write_bytes(content)
    parts: dict = {}
    for message, _ in up.messages(of_path(tmp_path), False):
        parts.setdefault(message.chunk.part, b"")
        parts[message.chunk.part] += message.chunk.data
    assert parts == {0: b"A" * 3_000_000, 1: b"C"}


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path, "FOLDER_EMPTY"),
        (tmp_path / "no.nrrd", "FILE_MISSING"),
        (tmp_path / "no", "FILE_MISSING"),
    ):
        with pytest.raises(SpinefxError) as caught:
            of_path(path)
        assert caught.value.reason == reason and str(tmp_path) in str(caught.value)
