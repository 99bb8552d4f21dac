"""A server on this computer, where the program spinefx is installed."""

from __future__ import annotations

import atexit
import collections
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Deque, Mapping, Optional, Sequence, Union

from .errors import SpinefxError

_LISTENING = re.compile(r"listening on (\S+:\d+)")


def find_program(program: Optional[Union[str, Path]] = None) -> str:
    """The program: as given, or as SPINEFX_PROGRAM says, or from PATH."""
    wanted = str(program or os.environ.get("SPINEFX_PROGRAM") or "spinefx")
    found = shutil.which(wanted)
    if found is None:
        raise SpinefxError("PROGRAM_MISSING", detail=wanted)
    return found


class LocalServer:
    """Starts ``spinefx serve`` on a free port of this computer; :meth:`stop`, or the end of a ``with``, ends it."""

    def __init__(
        self,
        program: Optional[Union[str, Path]] = None,
        arguments: Sequence[str] = (),
        environment: Optional[Mapping[str, str]] = None,
    ) -> None:
        command = [find_program(program), "serve", "--listen", "127.0.0.1:0", *arguments]
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=None if environment is None else dict(environment),
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise SpinefxError("PROGRAM_FAILED", {"what": str(error)}) from error
        # A program that ends without stop() must not leave a server behind.
        atexit.register(self.stop)
        self._lines: Deque[str] = collections.deque(maxlen=50)
        self._known = threading.Event()
        self.address = ""
        threading.Thread(target=self._read, daemon=True, name="spinefx-server-log").start()

    def _read(self) -> None:
        """Reads the log to its end: a full pipe would stop the server."""
        for line in self.process.stderr or ():
            self._lines.append(line.rstrip())
            found = _LISTENING.search(line)
            if found and not self.address:
                self.address = found[1]
                self._known.set()
        self._known.set()

    def wait_ready(self, timeout_s: float = 120.0) -> str:
        """Waits until it listens and gives its address."""
        self._known.wait(timeout_s)
        if not self.address:
            self.stop()
            raise SpinefxError("PROGRAM_FAILED", {"what": self._lines[-1] if self._lines else "it said nothing"})
        return self.address

    @property
    def ready(self) -> Optional[bool]:
        """True: it listens; None: it is starting; False: it has ended."""
        if self.process.poll() is not None:
            return False
        return True if self.address else None

    @property
    def log(self) -> str:
        """Its last lines."""
        return "\n".join(self._lines)

    def stop(self) -> None:
        """Ends it: politely first."""
        atexit.unregister(self.stop)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> LocalServer:
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
