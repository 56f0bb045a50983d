"""k6 as a child process: one process does one plan, and its log holds the samples."""

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
    # With neither, k6 keeps no sample in memory, however long it runs.
    "--no-thresholds",
    "--summary-mode=disabled",
    "--log-output=stdout",
    "--log-format=raw",
    "--no-usage-report",
    "--no-color",
    "--address=",
)
STOPPED = 105  # what k6 ends with when it is told to
_STARTED = b"started,"
_UNHELPFUL = b"Request Failed"  # for each one; the samples say it better
_PIPE_BYTES = 1024**2
_PAUSE = 0.1  # seconds between readings: each wakes this program, and a thousand a second would cost a tenth of a core
_PATIENCE = 3.0  # seconds for k6 to end when it is told to

TakeSamples = Callable[[float, Sequence[bytes]], None]
"""Is given the Unix time of the plan's begin, and samples' lines."""


class Generator:
    """A running k6.

    Args:
        command: The program and its arguments.
        environment: Its environment.
        take: Called in batches, from a thread of this object's own.

    Raises:
        OSError: The program can't be started.

    Attributes:
        started: Unix time of the plan's begin; None until k6 has said it.
        words: What k6 said first besides samples, or what went wrong with those.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], take: TakeSamples) -> None:
        self._take = take
        self._stopping = False
        self.started: float | None = None
        self.words = ""
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._follow, name="samples", daemon=True)
        self._thread.start()

    @property
    def code(self) -> int | None:
        """What k6 ended with, once all it wrote has been taken; None before."""
        return None if self._thread.is_alive() else self._process.wait()

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._began

    def stop(self) -> None:
        """End it, and return when it has ended and its last sample is taken."""
        self._stopping = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_PATIENCE)
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
                self.words = f"the samples can't be kept: {error}"
                self._process.kill()

    def _read(self, pipe: int) -> None:
        torn = b""
        while text := os.read(pipe, _PIPE_BYTES):
            *lines, torn = (torn + text).split(b"\n")
            self._sort(lines)
            if not self._stopping and not select.select([pipe], [], [], 0)[0]:
                time.sleep(_PAUSE)
        self._sort([torn])

    def _sort(self, lines: Sequence[bytes]) -> None:
        """Tell samples from words."""
        samples = [line for line in lines if is_sample(line)]
        if len(samples) < len(lines):
            for line in lines:
                if line.startswith(_STARTED):
                    self.started = float(line.removeprefix(_STARTED))
                elif line.strip() and line != _UNHELPFUL and not is_sample(line):
                    self.words = self.words or line.decode("utf-8", "replace").strip()[:500]
        if self._stopping:
            # What was under way when k6 was told to end has no answer, and that is nobody's failure.
            samples = [line for line in samples if has_response(line)]
        if samples:
            self._take(self.started or 0.0, samples)
