"""The report: one self-contained page, for a browser or as an attachment."""

from __future__ import annotations

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from measure.analysis.gates import counted, describe_failures, limit_text, measured_text
from measure.analysis.samples import Samples
from measure.analysis.timeline import Timeline
from measure.formatting import describe, milliseconds, share
from measure.output import tables
from measure.output.files import REPORT, replace
from measure.summary import Summary

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(ms=milliseconds, share=share, failures=describe_failures)


def write_report(directory: Path, summary: Summary, samples: Samples, timeline: Timeline) -> Path:
    """Write a run's report.html and return its path."""
    path = directory / REPORT
    replace(path, render(summary, samples, timeline))
    return path


def render(summary: Summary, samples: Samples, timeline: Timeline) -> str:
    """Return the page."""
    shares = {one.part: {"all": one.share, "tail": one.tail_share} for one in summary.shares}
    inside = [shares[name] for name in tables.OF_APPLICATION if name in shares]
    shares["application"] = {which: sum(one[which] for one in inside) for which in ("all", "tail")}
    mix = ", ".join(f"{kind} {weight}" for kind, weight in summary.plan.mix.items() if weight)
    return _ENVIRONMENT.get_template("report.html.j2").render(
        summary=summary,
        plan=f"{describe(summary.plan)}; mix {mix}; seed {summary.plan.seed}",
        outcome_colour=tables.OUTCOME_COLOURS[summary.verdict.outcome],
        colours=tables.PART_COLOURS,
        labels=tables.LABELS,
        shares=shares,
        counted=counted,
        limit_text=limit_text,
        measured_text=measured_text,
        delivery=tables.delivery_lines(summary),
        quantiles=tables.QUANTILES,
        from_scheduled=tables.FROM_SCHEDULED,
        from_send=tables.FROM_SEND,
        in_force=tables.in_force,
        fault_lines=tables.fault_lines(summary.faults),
        storage_columns=tables.STORAGE_COLUMNS,
        storage_rows=tables.storage_rows(summary.storage) if summary.storage else [],
        drawings=drawings(summary, samples, timeline),
        document=json.dumps(summary.model_dump(mode="json", include={"config", "plan", "segments"}), indent=2),
    )


def drawings(summary: Summary, samples: Samples, timeline: Timeline) -> list[tuple[str, Markup]]:
    """Return the plots with their titles; none for a run without requests."""
    if not len(samples):
        return []
    # Imported here because matplotlib takes longer to import than everything else, and most commands plot nothing.
    from measure.output import plots

    drawn = [
        ("Requests per second", plots.rate_plot(timeline, summary.faults)),
        ("Median latency by part, stacked", plots.latency_plot(timeline, summary.faults)),
        ("p99 latency by part", plots.tail_plot(timeline, summary.faults)),
        ("Latency by percentile", plots.percentile_plot(samples)),
    ]
    # The drawings hold numbers and this program's own words only.
    return [(title, Markup(drawing)) for title, drawing in drawn]  # noqa: S704
