"""Against the real server and beside the real program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from conftest import ROOT, shared
from spinefx_client import Client, Grid, LocalServer, SpinefxError, Task, Tls, Voxels, of_path


def cli(*arguments: str, env: Dict[str, str] = {}, **more: Any) -> subprocess.Popen[str]:  # noqa: B006
    command = [sys.executable, "-m", "spinefx_client", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients/python"), **env}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **more)


def files(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_same_files_as_the_program(server: str, program: str, oblique: Path, tmp_path: Path) -> None:
    """Byte for byte, but for the SEG, whose own UIDs are new each time."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    run = cli("segment", str(oblique), "-o", str(ours), "--option", "threshold=0.3", env={"SPINEFX_SERVER": server})
    out, errors = run.communicate()
    assert run.returncode == 0, errors
    assert "Research only" in out and "finding" in out
    arguments = ["segment", str(oblique), "-o", str(theirs), "--threshold", "0.3", "--server", f"http://{server}"]
    subprocess.run([program, *arguments], check=True, capture_output=True)
    assert files(ours) == files(theirs) and "mask.seg.dcm" in files(ours)
    for name in files(ours):
        if name != "mask.seg.dcm":
            assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name


def test_a_zip_archive_and_the_files_in_it_are_one(server: str, oblique: Path, tmp_path: Path) -> None:
    archive = tmp_path / "ct.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in oblique.iterdir():
            packed.write(path, f"folder/{path.name}")
    with Client(server) as client:
        seen: list = []
        outputs = ("labelmap", "probabilities")
        options = {"threshold": 0.3}
        found = client.segment(of_path(archive), options=options, outputs=outputs, on_progress=seen.append)
        assert found.mask.shape == (32, 100, 20)
        assert found.probabilities.shape == found.mask.shape and found.probabilities.max() <= 1
        assert {"upload", "infer", "download"} <= {p.stage for p in seen}
        of_folder = client.segment(of_path(oblique), options=options)
        assert (of_folder.mask == found.mask).all() and of_folder.grid == found.grid


def test_the_servers_reasons_arrive(server: str, tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_bytes(b"no DICOM at all")
    with Client(server) as client:
        for upload, arguments, reason in (
            (of_path(tmp_path), {}, "DICOM_NONE"),
            (of_path(shared("S08_derived_lidc/tilt_15.zip")), {}, "DICOM_GANTRY_TILT"),
            (of_path(shared("S08_derived_lidc/nonuniform.zip")), {}, "DICOM_UNEVEN_SPACING"),
            (of_path(tmp_path), {"model": "no-such"}, "UNKNOWN_MODEL"),
        ):
            with pytest.raises(SpinefxError) as caught:
                client.segment(upload, **arguments)
            assert caught.value.reason == reason
            assert "?" not in str(caught.value).replace("(a localiser among them?)", ""), "a variable is missing"


def test_tls_and_token(program: str, tmp_path: Path) -> None:
    cert, key, token = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "token"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext {names}"
    subprocess.run([*command.split(), "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    token.write_text("let-me-in-please-now")
    arguments = ["--tls-cert", str(cert), "--tls-key", str(key), "--token-file", str(token)]
    with LocalServer(program, arguments) as local:
        for server, secret, tls, reason in (
            (f"https://{local.address}", "let-me-in-please-now", Tls(ca=str(cert)), None),
            (f"https://{local.address}", "not-the-right-token", Tls(ca=str(cert)), "TOKEN"),
            (f"https://{local.address}", None, Tls(ca=str(cert)), "TOKEN"),
            (f"https://{local.address}", "let-me-in-please-now", Tls(), "TLS"),
            (f"https://{local.address}", "let-me-in-please-now", Tls(ca=str(tmp_path / "no.pem")), "TLS_FILE"),
            (f"http://{local.address}", "let-me-in-please-now", Tls(), "UNREACHABLE"),
        ):
            try:
                with Client(server, token=secret, tls=tls) as client:
                    client.manifest(timeout_s=5)
                found = None
            except SpinefxError as error:
                found = error.reason
            assert found == reason, (server, secret, tls)


def work_of(client: Client) -> Any:
    """A volume that takes the server many seconds: bone everywhere."""
    grid = Grid((256, 256, 256), (1, 1, 1), (0, 0, 0))
    upload = Voxels(np.full(grid.shape, 400, np.int16), grid)
    return lambda on_progress, cancel: client.segment(upload, on_progress=on_progress, cancel=cancel)


def wait_for_stage(task: Task, stage: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not task.finished:
        if any(p.stage == stage for p in task.poll()):
            return
        time.sleep(0.02)
    pytest.fail(f"{stage} did not come: {task.error}")


def test_a_server_killed_in_mid_run(program: str) -> None:
    with LocalServer(program) as local, Client(local.address) as client:
        task = Task(work_of(client)).start()
        wait_for_stage(task, "infer")
        local.process.kill()
        task.join(20)
        while not task.finished:
            task.poll()
        assert task.error is not None and task.error.reason == "CONNECTION_LOST", task.error


def test_a_server_that_stands_still(program: str) -> None:
    with LocalServer(program) as local, Client(local.address) as client:
        client.silence_s = 2
        task = Task(work_of(client)).start()
        wait_for_stage(task, "infer")
        local.process.send_signal(signal.SIGSTOP)
        try:
            task.join(20)
            while not task.finished:
                task.poll()
        finally:
            local.process.send_signal(signal.SIGCONT)
        assert task.error is not None and task.error.reason == "SILENT", task.error


def test_ctrl_c_ends_the_work_here_and_there(program: str, tmp_path: Path) -> None:
    grid = Grid((256, 256, 256), (1, 1, 1), (0, 0, 0))
    ct = tmp_path / "ct.nrrd"
    header = "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 256 256 256\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nendian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    ct.write_bytes(header.encode() + np.full(grid.shape, 400, "<i2").tobytes())
    with LocalServer(program) as local:
        # A shell starts background jobs with SIGINT ignored, which children inherit: then there is no Ctrl-C.
        run = cli(
            "segment",
            str(ct),
            "-o",
            str(tmp_path / "out"),
            "--server",
            local.address,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 60
        while "request accepted" not in local.log and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
        assert run.returncode == 130 and "Cancelled" in errors and "Traceback" not in errors, errors
        while 'reason="CANCELLED"' not in local.log and time.monotonic() < deadline + 30:
            time.sleep(0.1)
        assert "CANCELLED" in local.log
    assert not (tmp_path / "out").exists()


def test_queue_place(program: str) -> None:
    with LocalServer(program) as local, Client(local.address) as client:
        first = Task(work_of(client)).start()
        wait_for_stage(first, "infer")
        places: list = []
        second = Task(work_of(client)).start()
        deadline = time.monotonic() + 30
        while not places and time.monotonic() < deadline:
            places += [p.queue_place for p in second.poll() if p.stage == "queued" and p.queue_place]
            time.sleep(0.01)
        assert places and places[0] == 1
        first.cancel()
        second.cancel()
        first.join(20)
        second.join(20)


def test_help_teaches() -> None:
    out, _ = cli("--help").communicate()
    assert "examples:" in out and "Ctrl-C" in out and "SPINEFX_TOKEN" in out
    out, _ = cli("segment", "--help").communicate()
    assert "--option" in out and "--server" in out
    _, errors = cli("segment", "/no/such/ct", "-o", "x", "--server", "127.0.0.1:1").communicate()
    assert "/no/such/ct" in errors and "Traceback" not in errors


def test_a_program_that_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(SpinefxError) as caught:
        LocalServer("no-such-program")
    assert caught.value.reason == "PROGRAM_MISSING"
    with pytest.raises(SpinefxError) as caught, LocalServer("true"):
        pass
    assert caught.value.reason == "PROGRAM_FAILED"
    assert threading.active_count() < 50
