"""The sample log: lines in a bounded number of files, addressed by byte offsets that never restart."""

import threading
from collections.abc import Iterable
from pathlib import Path

SEGMENT_BYTES = 8 * 1024**2
SEGMENTS = 4  # 32 MB: about 5 minutes at 1,000 requests a second
LARGEST_READ = 1024**2


class GoneError(Exception):
    """The requested samples are no longer kept."""


class SampleLog:
    """Lines that are appended; the oldest are dropped when the log is full.

    Offsets count from the first line ever written, across restarts.

    Args:
        directory: Directory of the files, each named after its first byte's offset; created if missing.
        segment_bytes: Size at which a new file is started.
        segments: Largest number of files.
    """

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES, segments: int = SEGMENTS) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._most = segments
        self._lock = threading.Lock()
        directory.mkdir(exist_ok=True)
        self._starts = sorted(int(path.stem) for path in directory.glob("*.csv")) or [0]
        newest = self._path(self._starts[-1])
        newest.touch()
        _drop_partial_line(newest)
        self._file = newest.open("ab", buffering=0)
        self._next = self._starts[-1] + newest.stat().st_size

    @property
    def first(self) -> int:
        """Offset of the oldest line that is kept."""
        return self._starts[0]

    @property
    def next(self) -> int:
        """Offset of the next line."""
        return self._next

    def append(self, lines: Iterable[bytes]) -> None:
        """Append lines, given without their line breaks.

        Raises:
            OSError: The disk is full; none of them was stored.
        """
        text = b"".join(line + b"\n" for line in lines)
        with self._lock:
            if self._next - self._starts[-1] >= self._segment_bytes:
                self._start_segment()
            written = self._file.write(text)
            if written != len(text):
                self._file.truncate(self._next - self._starts[-1])
                raise OSError("the disk is full")
            self._next += len(text)

    def read(self, offset: int, largest: int = LARGEST_READ) -> bytes:
        """Return whole lines from an offset; nothing at the end. More lines may follow.

        Raises:
            GoneError: The offset is no longer kept.
            ValueError: No line starts at the offset.
        """
        with self._lock:
            if offset < self.first:
                raise GoneError
            if not 0 <= offset <= self._next:
                raise ValueError(f"the next sample will be at {self._next}, {offset} is beyond it")
            start = max(start for start in self._starts if start <= offset)
            if offset == self._next:
                return b""
            with self._path(start).open("rb") as segment:
                segment.seek(max(offset - start - 1, 0))
                if offset > start and segment.read(1) != b"\n":
                    raise ValueError(f"no sample starts at {offset}")
                text = segment.read(largest)
        return text[: text.rfind(b"\n") + 1]

    def close(self) -> None:
        """Close the log."""
        self._file.close()

    def _start_segment(self) -> None:
        file = self._path(self._next).open("ab", buffering=0)
        self._file.close()
        self._file = file
        self._starts.append(self._next)
        while len(self._starts) > self._most:
            self._path(self._starts.pop(0)).unlink(missing_ok=True)

    def _path(self, start: int) -> Path:
        return self._directory / f"{start:020}.csv"


def _drop_partial_line(path: Path) -> None:
    """Remove the partial line that a crash left."""
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        with path.open("r+b") as file:
            file.truncate(whole)
