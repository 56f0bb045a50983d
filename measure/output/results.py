"""The files of a run, written and read again."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from cloudinit.load_plan import Segment
from cloudinit.sample_columns import HEADER
from measure.analysis.samples import Samples, parse
from measure.analysis.timeline import Timeline, timeline
from measure.failures import WrongUsageError
from measure.summary import Summary

SUMMARY, SAMPLES, TIMELINE, PERCENTILES = "summary.json", "samples.csv", "timeline.csv", "percentiles.csv"
REPORT = "report.html"
_TRACE = re.compile(rb",([0-9a-f]{0,16})(?=\n)")


class SamplesFile:
    """samples.csv, written while the samples come: what was measured outlives the program."""

    def __init__(self, directory: Path) -> None:
        self._file = (directory / SAMPLES).open("wb", buffering=0)
        self._file.write(HEADER.encode() + b"\n")

    def __enter__(self) -> SamplesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def keep(self, lines: bytes, trace: str) -> None:
        """Append lines, with whole trace ids.

        Args:
            lines: whole lines as the agent gives them.
            trace: high half of their trace ids.
        """
        self._file.write(_TRACE.sub(rb",%s\1" % trace.encode(), lines))


def write(directory: Path, summary: Summary, samples: Samples) -> Timeline:
    """Write summary.json, percentiles.csv and timeline.csv, and return the timeline."""
    (directory / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _write_percentiles(directory / PERCENTILES, summary)
    columns = timeline_of(summary, samples)
    with (directory / TIMELINE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow("" if math.isnan(value) else f"{value:.10g}" for value in row)
    return columns


def timeline_of(summary: Summary, samples: Samples) -> Timeline:
    """Return a run's timeline, to its plan's end or to where it was ended."""
    course = tuple(Segment(one.seconds, one.begin, one.end) for one in summary.plan.segments)
    last = int(samples["due"].max() / 1000) + 1 if len(samples) else 0
    return timeline(samples, course, min(summary.plan.seconds, max(last, 1)))


def _write_percentiles(path: Path, summary: Summary) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "view", "part", "count", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"])
        groups = [("all", "due", summary.latency), ("all", "sent", summary.seen)]
        groups += [(name, "due", one.latency) for name, one in summary.kinds.items()]
        for kind, seen, parts in groups:
            for name, one in parts.items():
                times = (one.mean, one.p50, one.p90, one.p95, one.p99, one.p999, one.max)
                writer.writerow([kind, seen, name, one.count, *(f"{value:.3f}" for value in times)])


def read_summary(directory: Path) -> Summary:
    """Read a run's summary.

    Raises:
        WrongUsageError: the directory holds no run, or one of another version.
    """
    try:
        return Summary.model_validate_json((directory / SUMMARY).read_bytes())
    except OSError as error:
        raise WrongUsageError(f"{directory} holds no run: {SUMMARY} can't be read ({error.strerror}).") from None
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(str(one) for one in detail["loc"])
        raise WrongUsageError(f"{directory / SUMMARY} is not of this version: {where}: {detail['msg']}.") from None


def read_samples(directory: Path) -> Samples:
    """Read a run's samples; of their trace ids the first half.

    Raises:
        WrongUsageError: there are none, or they can't be read.
    """
    try:
        header, _, lines = (directory / SAMPLES).read_bytes().partition(b"\n")
    except OSError as error:
        raise WrongUsageError(f"{directory / SAMPLES} can't be read ({error.strerror}).") from None
    if header.decode(errors="replace") != HEADER:
        raise WrongUsageError(f"{directory / SAMPLES} has other columns than this version: {HEADER}.")
    return parse(lines)


def runs_in(directory: Path) -> list[Path]:
    """Return a run's own directory, or those of its repeats.

    Raises:
        WrongUsageError: it holds neither.
    """
    if (directory / SUMMARY).is_file():
        return [directory]
    repeats = sorted(path.parent for path in directory.glob(f"*/{SUMMARY}"))
    if not repeats:
        raise WrongUsageError(f"{directory} holds no run: there is no {SUMMARY} in it, nor in a directory in it.")
    return repeats
