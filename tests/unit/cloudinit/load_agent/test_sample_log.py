"""The sample log: offsets that never restart, over files that do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudinit.files.load.agent.sample_log import GoneError, SampleLog


def read_all(log: SampleLog, offset: int, largest: int = 1024**2) -> bytes:
    text = b""
    while part := log.read(offset + len(text), largest):
        assert part.endswith(b"\n")
        text += part
    return text


def lines_of(directory: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in directory.iterdir())


@settings(max_examples=25)
@given(lengths=st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=20), largest=st.integers(31, 100))
def test_every_line_can_be_read_back_across_files(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[list[int]], largest: int
) -> None:
    log = SampleLog(tmp_path_factory.mktemp("log"), segment_bytes=50, segments=1000)
    written = b""
    for batch in lengths:
        lines = [b"x" * length for length in batch]
        log.append(lines)
        written += b"".join(line + b"\n" for line in lines)
    assert log.next == len(written)
    offset = 0
    for line in written.splitlines(keepends=True):
        assert read_all(log, offset, largest) == written[offset:]
        offset += len(line)
    log.close()


def test_the_oldest_lines_are_dropped_when_the_log_is_full(tmp_path: Path) -> None:
    log = SampleLog(tmp_path, segment_bytes=100, segments=3)
    for number in range(1000):
        log.append([b"%09d" % number])
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 300
    assert log.next == 10_000
    assert 9_700 <= log.first < 9_900
    assert read_all(log, log.first).splitlines()[-1] == b"000000999"
    with pytest.raises(GoneError):
        log.read(log.first - 10)


@pytest.mark.parametrize(("offset", "words"), [(21, "beyond"), (3, "no sample starts at 3"), (19, "no sample")])
def test_an_offset_where_no_line_starts_is_rejected(tmp_path: Path, offset: int, words: str) -> None:
    log = SampleLog(tmp_path)
    log.append([b"123456789", b"123456789"])
    assert log.read(20) == b""
    with pytest.raises(ValueError, match=words):
        log.read(offset)


def test_offsets_continue_after_a_restart_and_a_partial_line_is_dropped(tmp_path: Path) -> None:
    log = SampleLog(tmp_path, segment_bytes=10)
    log.append([b"first"])
    log.append([b"second"])
    log.append([b"third"])
    log.close()
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes() + b"tor")

    again = SampleLog(tmp_path, segment_bytes=10)
    assert (again.first, again.next) == (0, 19)
    again.append([b"fourth"])
    assert read_all(again, 0) == b"first\nsecond\nthird\nfourth\n"


def test_a_full_disk_leaves_no_partial_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SampleLog(tmp_path)
    log.append([b"whole"])
    file = log._file

    class Full:
        def write(self, text: bytes) -> int:
            return file.write(text[:2])

        def truncate(self, size: int) -> int:
            return file.truncate(size)

    monkeypatch.setattr(log, "_file", Full())
    with pytest.raises(OSError, match="full"):
        log.append([b"another"])
    assert log.next == 6
    assert read_all(log, 0) == b"whole\n"
    assert lines_of(tmp_path) == 1
