"""A request on a thread of its own, for programs with a user interface.

The thread never touches the interface: it puts events into a queue, and the interface takes them out when its
timer ticks. :meth:`Task.poll` never waits.
"""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, List, Optional, Tuple

from .client import Cancel, Progress
from .errors import SpinefxError

Work = Callable[[Callable[[Progress], None], Cancel], Any]


class Task:
    """Runs ``work(on_progress, cancel)``; its result or error comes out of :meth:`poll`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._cancel = Cancel()
        self._events: queue.Queue[Tuple[bool, Any]] = queue.Queue()
        self._latest: Optional[Progress] = None
        self.result: Any = None
        self.error: Optional[SpinefxError] = None
        self.finished = False
        """Whether poll() has seen the end."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="spinefx-task")

    def start(self) -> Task:
        """Begins."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Asks the work to end; the end comes out of poll() as the error CANCELLED. Returns at once."""
        # Telling the server takes a lock of gRPC's, which must not hold up a user interface.
        threading.Thread(target=self._cancel.cancel, daemon=True).start()

    def poll(self) -> List[Progress]:
        """The newest progress, if any is new. At the end sets finished, and result or error."""
        try:
            ended, value = self._events.get_nowait()
        except queue.Empty:
            latest, self._latest = self._latest, None
            return [latest] if latest is not None else []
        if ended:
            self.finished, self.result = True, value
        else:
            self.finished, self.error = True, value
        return []

    def join(self, timeout_s: Optional[float] = None) -> None:
        """Waits for the thread; for programs that end."""
        self._thread.join(timeout_s)

    def _progress(self, progress: Progress) -> None:
        # Only the newest counts: a slow interface must not work through old ones.
        self._latest = progress

    def _run(self) -> None:
        try:
            self._events.put((True, self._work(self._progress, self._cancel)))
        except SpinefxError as error:
            self._events.put((False, error))
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            self._events.put((False, SpinefxError("UNEXPECTED", {"what": what})))
