"""k6 as a child process: one process runs one plan, and its log holds the samples."""

import fcntl
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from .sample import has_response, is_sample

OPTIONS = (
    "run",
    "--quiet",
    # Without thresholds and summary k6 keeps no samples in memory, however long it runs.
    "--no-thresholds",
    "--summary-mode=disabled",
    "--log-output=stdout",
    "--log-format=raw",
    "--no-usage-report",
    "--no-color",
    "--address=",
)
_STARTED = b"started,"
_REDUNDANT = b"Request Failed"  # the samples have the details
_PIPE_BYTES = 1024**2
_READ_INTERVAL = 0.1  # seconds; waking up for every line would cost a tenth of a core at 1,000 requests a second
_STOP_TIMEOUT = 3.0  # seconds
_HEAD_START = 0.2  # seconds from k6's report of the plan's start to that start, as in requests.js
_READ_DELAY = 1.0  # seconds within which the report is read

# Receives the Unix time of the plan's start, and lines of samples.
TakeSamples = Callable[[float, Sequence[bytes]], None]


class Generator:
    """A running k6.

    Args:
        command: The program and its arguments.
        environment: Its environment.
        take: Called with batches of samples, from another thread.

    Raises:
        OSError: The program can't be started.

    Attributes:
        started: Unix time of the plan's start; None until k6 has reported it.
        message: The first line that k6 printed besides samples, or why samples could not be kept.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], take: TakeSamples) -> None:
        self._take = take
        self._stopping = False
        self.started: float | None = None
        self.message = ""
        self._origin: float | None = None
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._follow, name="samples", daemon=True)
        self._thread.start()

    @property
    def exit_code(self) -> int | None:
        """k6's exit code, once all its output has been read; None before."""
        return None if self._thread.is_alive() else self._process.wait()

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    @property
    def elapsed(self) -> float | None:
        """Monotonic seconds since the plan's start; negative before it, None until k6 has reported it."""
        return None if self._origin is None else time.monotonic() - self._origin

    def stop(self) -> None:
        """Stop it, and return when its last sample has been taken."""
        self._stopping = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join()

    def _follow(self) -> None:
        assert self._process.stdout  # noqa: S101
        with self._process.stdout as pipe:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            try:
                self._read(pipe.fileno())
            except OSError as error:
                self.message = f"the samples can't be stored: {error}"
                self._process.kill()

    def _read(self, pipe: int) -> None:
        torn = b""
        while text := os.read(pipe, _PIPE_BYTES):
            *lines, torn = (torn + text).split(b"\n")
            self._handle(lines)
            if not self._stopping and not select.select([pipe], [], [], 0)[0]:
                time.sleep(_READ_INTERVAL)
        self._handle([torn])

    def _note_start(self, started: float) -> None:
        # The wall clock is compared only over the moment since k6 read it; a clock that was set meanwhile does no harm.
        ago = min(max(time.time() - started, -_HEAD_START), _READ_DELAY)
        self._origin = time.monotonic() - ago
        self.started = started

    def _handle(self, lines: Sequence[bytes]) -> None:
        """Separate samples from messages."""
        samples = [line for line in lines if is_sample(line)]
        if len(samples) < len(lines):
            for line in lines:
                if line.startswith(_STARTED):
                    self._note_start(float(line.removeprefix(_STARTED)))
                elif line.strip() and line != _REDUNDANT and not is_sample(line):
                    self.message = self.message or line.decode("utf-8", "replace").strip()[:500]
        if self._stopping:
            # Requests that were in flight when k6 was stopped have no response, which is no failure.
            samples = [line for line in samples if has_response(line)]
        if samples:
            self._take(self.started or 0.0, samples)
