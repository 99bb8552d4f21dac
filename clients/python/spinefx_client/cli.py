"""The command line: segment, check, models."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any, Dict, List, Optional, Sequence, TextIO

from . import __version__
from .answer import Segmentation
from .client import Client, Progress, describe
from .connection import Tls
from .errors import SpinefxError
from .options import offered
from .segplugin.v1 import segmentation_plugin_pb2 as pb
from .task import Task
from .upload import of_path

RAW = "application/octet-stream"
EXAMPLES = """examples:
  python -m spinefx_client segment CT/ -o out/
      a folder of DICOM files to the server on this computer; out/ gets the mask
      (mask.nii.gz, mask.nrrd, mask.seg.dcm), findings.json and pictures

  python -m spinefx_client segment ct.nii.gz -o out/ --option threshold=0.3
      a file in HU; `check` lists the options that the server has

  python -m spinefx_client segment CT/ -o out/ --server https://ct.example:50051 --ca ca.pem
      over TLS; the token, where one is needed, in the variable SPINEFX_TOKEN

  python -m spinefx_client check --server ct.example:50051
      what the server is, its models, options and limits

Ctrl-C ends the request, on the server too. Research only: not for diagnosis."""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    common = argparse.ArgumentParser(add_help=False)
    server = common.add_argument_group("server")
    server.add_argument(
        "--server",
        metavar="URL",
        default=os.environ.get("SPINEFX_SERVER", "127.0.0.1:50051"),
        help="host:port, http://host:port or, with TLS, https://host:port [env: SPINEFX_SERVER] (default: %(default)s)",
    )
    server.add_argument(
        "--token", metavar="TOKEN", help="bearer token; better in the variable SPINEFX_TOKEN, which others cannot read"
    )
    server.add_argument(
        "--ca", metavar="FILE", help="authority whose certificates to believe (PEM; default: the system's)"
    )
    server.add_argument("--cert", metavar="FILE", help="this client's certificate (PEM), where the server wants one")
    server.add_argument("--key", metavar="FILE", help="its private key (PEM)")

    top = argparse.ArgumentParser(
        prog="python -m spinefx_client",
        description="Fracture masks on spine CT from a spinefx server.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"spinefx-client {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    segment = commands.add_parser("segment", parents=[common], help="segment one CT and write the results")
    segment.add_argument("input", help="DICOM folder, .zip or file, or a .nii, .nii.gz, .nrrd or .mha file in HU")
    segment.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder for the results; made where there is none"
    )
    segment.add_argument("--model", default="", metavar="NAME", help="model by name (default: the server's)")
    segment.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set one of the server's options; may be repeated",
    )
    segment.add_argument(
        "--outputs", metavar="KIND,KIND", help="what to ask for, by the server's names (default: all its files)"
    )
    segment.add_argument(
        "--compress",
        choices=["auto", "yes", "no"],
        default="auto",
        help="pack raw voxels for slow networks (default: %(default)s)",
    )
    commands.add_parser("check", parents=[common], help="say what the server is, takes and gives")
    commands.add_parser("models", parents=[common], help="list the server's models")
    return top


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs one command; 0: done, 1: failed, 130: ended by Ctrl-C."""
    args = parser().parse_args(arguments)
    token = args.token or os.environ.get("SPINEFX_TOKEN")
    try:
        with Client(args.server, token=token, tls=Tls(args.ca, args.cert, args.key)) as client:
            if token and not client.address.secure and not client.address.local:
                print(
                    "warning: token and CT travel unencrypted; use https:// where the server has TLS", file=sys.stderr
                )
            return {"segment": _segment, "check": _check, "models": _models}[args.command](client, args)
    except SpinefxError as error:
        print(f"error: {error} [{error.reason}]", file=sys.stderr)
        if error.detail and error.detail not in str(error):
            print(f"  the server's words: {error.detail}", file=sys.stderr)
        return 130 if error.cancelled else 1
    except KeyboardInterrupt:
        return 130


def _segment(client: Client, args: argparse.Namespace) -> int:
    upload = of_path(args.input)
    manifest = client.manifest()
    outputs = args.outputs.split(",") if args.outputs else [o.kind for o in manifest.outputs if o.media_type != RAW]
    options = option_values(args.option, manifest)
    compress = {"auto": None, "yes": True, "no": False}[args.compress]
    task = Task(
        lambda on_progress, cancel: client.segment(
            upload,
            model=args.model,
            options=options,
            outputs=outputs,
            compress=compress,
            on_progress=on_progress,
            cancel=cancel,
        )
    ).start()
    found = _wait(task, Bar(sys.stderr))
    paths = found.save(args.output)
    _report(found)
    print(f"{len(paths)} files in {args.output}")
    print("Research only: not for diagnosis.")
    return 0


def _wait(task: Task, bar: Bar) -> Segmentation:
    """Until the end. Ctrl-C cancels and then waits for the server to let go; a second one does not wait."""
    interrupted = False
    while not task.finished:
        try:
            for progress in task.poll():
                bar.show(progress)
            time.sleep(0.05)
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            task.cancel()
    bar.clear()
    if task.error is not None:
        raise task.error
    result: Segmentation = task.result
    return result


class Bar:
    """One line that shows the stage and how far it is; silent where the output is no terminal."""

    WIDTH = 40

    def __init__(self, out: TextIO) -> None:
        self.out, self.on = out, out.isatty()

    def show(self, progress: Progress) -> None:
        """Draws it."""
        if self.on:
            self.out.write("\r\x1b[K" + self.line(progress))
            self.out.flush()

    def line(self, progress: Progress) -> str:
        """What is drawn."""
        if progress.stage == "queued" and progress.queue_place:
            wait = "" if progress.expected_wait_s is None else f", about {progress.expected_wait_s:.0f} s"
            return f"waiting for {progress.queue_place} other request(s){wait}"
        full = int(self.WIDTH * min(1.0, max(0.0, progress.fraction)))
        return f"{progress.stage:>11} {'█' * full}{'░' * (self.WIDTH - full)} {100 * progress.fraction:3.0f} %"

    def clear(self) -> None:
        """Leaves an empty line."""
        if self.on:
            self.out.write("\r\x1b[K")
            self.out.flush()


def option_values(pairs: Sequence[str], manifest: pb.Manifest) -> Dict[str, Any]:
    """NAME=VALUE as the manifest's types."""
    kinds = {spec.name: spec.type for spec in offered(manifest)}
    values: Dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in kinds:
            raise SpinefxError(
                "OPTION",
                {"name": "--option", "value": pair, "expected": "NAME=VALUE, with a name of " + ", ".join(kinds)},
            )
        values[name] = _value(kinds[name], name, text)
    return values


def _value(kind: str, name: str, text: str) -> Any:
    if kind == "boolean":
        if text.lower() not in ("true", "false", "yes", "no"):
            raise SpinefxError("OPTION", {"name": name, "value": text, "expected": "true or false"})
        return text.lower() in ("true", "yes")
    if kind == "number":
        try:
            return float(text)
        except ValueError:
            raise SpinefxError("OPTION", {"name": name, "value": text, "expected": "a number"}) from None
    return text


def _report(found: Segmentation) -> None:
    for note in found.notes:
        print(f"note: {note}")
    if not found.findings:
        print("no finding")
    else:
        rows = [("finding", "volume cm³", "centroid L, P, S mm", "slice", "p mean", "p max")]
        for f in found.findings:
            at = ", ".join(f"{v:.1f}" for v in f.centroid_lps)
            rows.append(
                (
                    str(f.id),
                    f"{f.volume_mm3 / 1000:.2f}",
                    at,
                    str(f.slice),
                    f"{f.mean_probability:.2f}",
                    f"{f.max_probability:.2f}",
                )
            )
        print(_table(rows))
    print(" · ".join(f"{stage} {seconds:.1f} s" for stage, seconds in found.timings.items()))


def _table(rows: List[Any]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def _check(client: Client, _: argparse.Namespace) -> int:
    manifest = client.manifest()
    for name, value in describe(manifest).items():
        print(f"{name:13} {value}")
    print("options       (--option NAME=VALUE)")
    for spec in offered(manifest):
        print(f"  {spec.name} ({spec.type}{', ' + spec.unit if spec.unit else ''}): {spec.description}")
    print("outputs       (--outputs KIND,KIND)")
    for output in manifest.outputs:
        print(f"  {output.kind}: {output.name}. {output.description}")
    limits = manifest.limits
    print(f"limits        {limits.voxels} voxels, {limits.upload_bytes} bytes, {limits.deadline_s} s")
    return 0


def _models(client: Client, _: argparse.Namespace) -> int:
    for model in client.models():
        print(f"{model.name} {model.version}{' (default)' if model.default else ''}: {model.description}")
    return 0
