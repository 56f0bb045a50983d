"""The files of a run."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, count
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from cloudinit.sample_columns import HEADER
from measure.analysis.comparison import MeasuredRun
from measure.analysis.faults import active
from measure.analysis.samples import Samples, parse
from measure.analysis.schedule import with_unsent
from measure.analysis.timeline import Timeline
from measure.failures import NotServingError, WrongUsageError
from measure.summary import Summary

SUMMARY, SAMPLES, TIMELINE, PERCENTILES = "summary.json", "samples.csv", "timeline.csv", "percentiles.csv"
REPORT = "report.html"
_TRACE = re.compile(rb",([0-9a-f]{0,16})(?=\n)")


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn a file's errors into this program's."""
    try:
        yield
    except OSError as error:
        raise WrongUsageError(f"Can't write {path}: {error.strerror}. Make room, or set --results.") from None


def _write_all(file: int, data: bytes) -> None:
    """Write all of some data: a disk that is almost full takes a part of it without an error."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, whatever happens meanwhile.

    Raises:
        WrongUsageError: It can't be written.
    """
    new = path.with_name(f".{path.name}.new")
    with _errors(path):
        try:
            with new.open("wb", buffering=0) as file:
                _write_all(file.fileno(), text.encode())
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def unused(results: Path, name: str) -> str:
    """Return a name that no run has, even if one was started in the same second."""
    numbered = (f"{name}-{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if not (results / one).exists())


@contextmanager
def created(directory: Path) -> Iterator[None]:
    """Create a directory; remove it again if an error leaves it empty."""
    new = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        message = f"Can't create {directory} for the results: {error.strerror}. Set --results."
        raise WrongUsageError(message) from None
    try:
        yield
    except BaseException:
        with suppress(OSError):  # not empty
            for path in new:
                path.rmdir()
        raise


class SamplesFile:
    """samples.csv, written during the run: it survives a crash of the program.

    Raises:
        WrongUsageError: It can't be written.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / SAMPLES
        self._empty = True
        with _errors(self._path):
            self._file = self._path.open("wb", buffering=0)
            _write_all(self._file.fileno(), HEADER.encode() + b"\n")

    def __enter__(self) -> SamplesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _errors(self._path):
            os.fsync(self._file.fileno())
            self._file.close()
        if error is not None and self._empty:
            self._path.unlink()

    def append(self, lines: bytes, trace: str) -> None:
        """Append whole lines, with full trace ids.

        Args:
            lines: Lines as the agent returns them.
            trace: First half of their trace ids.
        """
        self._empty = False
        with _errors(self._path):
            _write_all(self._file.fileno(), _TRACE.sub(rb",%s\1" % trace.encode(), lines))


def write(directory: Path, summary: Summary, timeline: Timeline) -> None:
    """Write summary.json, percentiles.csv and timeline.csv.

    Raises:
        WrongUsageError: They can't be written.
    """
    replace(directory / PERCENTILES, _csv(_percentiles(summary)))
    columns = {**timeline, "faults": active(summary.faults, timeline)}
    rows = zip(*columns.values(), strict=True)
    values = [["" if math.isnan(value) else f"{value:.10g}" for value in row] for row in rows]
    replace(directory / TIMELINE, _csv([list(columns), *values]))
    replace(directory / SUMMARY, summary.model_dump_json(indent=2) + "\n")


def _percentiles(summary: Summary) -> Iterator[Sequence[object]]:
    yield ["kind", "from", "part", "count", "unanswered", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"]
    groups = [("all", "scheduled", summary.latency), ("all", "sent", summary.latency_from_send)]
    groups += [(name, "scheduled", one.latency) for name, one in summary.kinds.items()]
    for kind, origin, parts in groups:
        for name, one in parts.items():
            times = (one.mean, one.p50, one.p90, one.p95, one.p99, one.p999, one.max)
            figures = ("" if value is None else f"{value:.3f}" for value in times)
            yield [kind, origin, name, one.count, one.unanswered, *figures]


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_summary(directory: Path) -> Summary:
    """Read a run's summary.

    Raises:
        WrongUsageError: The directory holds no run, or one of another schema version.
    """
    try:
        return Summary.model_validate_json((directory / SUMMARY).read_bytes())
    except OSError as error:
        raise WrongUsageError(f"{directory} holds no run: can't read {SUMMARY} ({error.strerror}).") from None
    except ValidationError as error:
        detail = error.errors()[0]
        if detail["type"] == "json_invalid":
            message = f"{directory / SUMMARY} is torn: its JSON is incomplete. Measure again."
            raise WrongUsageError(message) from None
        where = ".".join(str(one) for one in detail["loc"])
        message = f"{directory / SUMMARY} doesn't match this version's schema: {where}: {detail['msg']}."
        raise WrongUsageError(message) from None


def read_samples(directory: Path, summary: Summary) -> Samples:
    """Read the samples of all scheduled requests of a run, those that were never sent included.

    Raises:
        WrongUsageError: The file is missing, has other columns, or is not whole.
    """
    path, sent = directory / SAMPLES, summary.delivery.sent
    try:
        header, _, lines = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise WrongUsageError(f"Can't read {path} ({error.strerror}).") from None
    if lines and header.decode(errors="replace") != HEADER:
        raise WrongUsageError(f"{path} doesn't have this version's columns: {HEADER}.")
    if (found := lines.count(b"\n")) != sent:
        raise WrongUsageError(f"{path} is torn: it has {found:,} of {sent:,} requests. Measure again.")
    try:
        return with_unsent(parse(lines), summary.plan, summary.delivery.scheduled)
    except NotServingError as error:
        raise WrongUsageError(f"{path}: {error}") from None


def runs_in(directory: Path) -> list[Path]:
    """Return the directory if it is a run's, or those of the repeats in it.

    Raises:
        WrongUsageError: It is neither.
    """
    if (directory / SUMMARY).is_file():
        return [directory]
    repeats = sorted(path.parent for path in directory.glob(f"*/{SUMMARY}"))
    if not repeats:
        raise WrongUsageError(f"{directory} holds no run: no {SUMMARY} in it or in its subdirectories.")
    return repeats


def measured_runs(directory: Path) -> list[MeasuredRun]:
    """Return the runs in a directory.

    Raises:
        WrongUsageError: It holds no run.
    """
    summaries = [(path, read_summary(path)) for path in runs_in(directory)]
    return [MeasuredRun(summary, partial(read_samples, path, summary)) for path, summary in summaries]
