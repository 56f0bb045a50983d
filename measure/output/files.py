"""The files of a run."""

from __future__ import annotations

import csv
import math
import re
from functools import partial
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from cloudinit.sample_columns import HEADER
from measure.analysis.comparison import MeasuredRun
from measure.analysis.samples import Samples, parse
from measure.analysis.schedule import with_unsent
from measure.analysis.timeline import Timeline
from measure.failures import WrongUsageError
from measure.summary import Summary

SUMMARY, SAMPLES, TIMELINE, PERCENTILES = "summary.json", "samples.csv", "timeline.csv", "percentiles.csv"
REPORT = "report.html"
_TRACE = re.compile(rb",([0-9a-f]{0,16})(?=\n)")


class SamplesFile:
    """samples.csv, written during the run: it survives a crash of the program."""

    def __init__(self, directory: Path) -> None:
        self._file = (directory / SAMPLES).open("wb", buffering=0)
        self._file.write(HEADER.encode() + b"\n")

    def __enter__(self) -> SamplesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, lines: bytes, trace: str) -> None:
        """Append whole lines, with full trace ids.

        Args:
            lines: Lines as the agent returns them.
            trace: First half of their trace ids.
        """
        self._file.write(_TRACE.sub(rb",%s\1" % trace.encode(), lines))


def write(directory: Path, summary: Summary, timeline: Timeline) -> None:
    """Write summary.json, percentiles.csv and timeline.csv."""
    (directory / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    with (directory / PERCENTILES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["kind", "from", "part", "count", "unanswered", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"]
        )
        groups = [("all", "scheduled", summary.latency), ("all", "sent", summary.latency_from_send)]
        groups += [(name, "scheduled", one.latency) for name, one in summary.kinds.items()]
        for kind, origin, parts in groups:
            for name, one in parts.items():
                times = (one.mean, one.p50, one.p90, one.p95, one.p99, one.p999, one.max)
                figures = ("" if value is None else f"{value:.3f}" for value in times)
                writer.writerow([kind, origin, name, one.count, one.unanswered, *figures])
    with (directory / TIMELINE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(timeline)
        for row in zip(*timeline.values(), strict=True):
            writer.writerow("" if math.isnan(value) else f"{value:.10g}" for value in row)


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
        where = ".".join(str(one) for one in detail["loc"])
        message = f"{directory / SUMMARY} doesn't match this version's schema: {where}: {detail['msg']}."
        raise WrongUsageError(message) from None


def read_samples(directory: Path, summary: Summary) -> Samples:
    """Read the samples of all scheduled requests of a run, those that were never sent included.

    Raises:
        WrongUsageError: The file is missing or has other columns.
    """
    path = directory / SAMPLES
    try:
        header, _, lines = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise WrongUsageError(f"Can't read {path} ({error.strerror}).") from None
    if header.decode(errors="replace") != HEADER:
        raise WrongUsageError(f"{path} doesn't have this version's columns: {HEADER}.")
    return with_unsent(parse(lines), summary.plan, summary.delivery.scheduled)


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
