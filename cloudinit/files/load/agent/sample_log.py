"""The samples' log: lines in files of bounded size, addressed by byte offsets that go on for ever."""

import threading
from collections.abc import Iterable
from pathlib import Path

SEGMENT_BYTES = 8 * 1024**2
SEGMENTS = 4  # 32 MB in all: some 5 minutes at 1,000 requests a second
LARGEST_READ = 1024**2


class GoneError(Exception):
    """What was asked for is older than what is kept."""


class SampleLog:
    """Whole lines, appended at the end; the oldest go when there are too many.

    A line's offset counts from the first line ever written here, also across restarts.

    Args:
        directory: Where the files are, each named by its first byte's offset; made when it is not there.
        segment_bytes: Size at which a new file begins.
        segments: How many files there are at most.
    """

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES, segments: int = SEGMENTS) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._most = segments
        self._lock = threading.Lock()
        directory.mkdir(exist_ok=True)
        self._begins = sorted(int(path.stem) for path in directory.glob("*.csv")) or [0]
        newest = self._path(self._begins[-1])
        newest.touch()
        _drop_torn_line(newest)
        self._file = newest.open("ab", buffering=0)
        self._next = self._begins[-1] + newest.stat().st_size

    @property
    def first(self) -> int:
        """Offset of the oldest line kept."""
        return self._begins[0]

    @property
    def next(self) -> int:
        """Offset that the next line will have."""
        return self._next

    def append(self, lines: Iterable[bytes]) -> None:
        """Add lines, given without their line breaks.

        Raises:
            OSError: The disk took none of them.
        """
        text = b"".join(line + b"\n" for line in lines)
        with self._lock:
            if self._next - self._begins[-1] >= self._segment_bytes:
                self._begin_segment()
            written = self._file.write(text)
            if written != len(text):
                self._file.truncate(self._next - self._begins[-1])
                raise OSError("the disk is full")
            self._next += len(text)

    def read(self, offset: int, largest: int = LARGEST_READ) -> bytes:
        """Whole lines from an offset on; nothing at the end. More may follow what is returned.

        Raises:
            GoneError: The offset is older than what is kept.
            ValueError: No line begins there, or none that was written.
        """
        with self._lock:
            if offset < self.first:
                raise GoneError
            if not 0 <= offset <= self._next:
                raise ValueError(f"the next sample is at {self._next}, {offset} is beyond it")
            begin = max(begin for begin in self._begins if begin <= offset)
            if offset == self._next:
                return b""
            with self._path(begin).open("rb") as segment:
                segment.seek(max(offset - begin - 1, 0))
                if offset > begin and segment.read(1) != b"\n":
                    raise ValueError(f"no sample begins at {offset}")
                text = segment.read(largest)
        return text[: text.rfind(b"\n") + 1]

    def close(self) -> None:
        """End writing."""
        self._file.close()

    def _begin_segment(self) -> None:
        file = self._path(self._next).open("ab", buffering=0)
        self._file.close()
        self._file = file
        self._begins.append(self._next)
        while len(self._begins) > self._most:
            self._path(self._begins.pop(0)).unlink(missing_ok=True)

    def _path(self, begin: int) -> Path:
        return self._directory / f"{begin:020}.csv"


def _drop_torn_line(path: Path) -> None:
    """Cut what a crash left of a line."""
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        with path.open("r+b") as file:
            file.truncate(whole)
