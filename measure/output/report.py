"""The report: one page that holds everything, for a browser or an attachment."""

from __future__ import annotations

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from measure.analysis.gates import SHARES, words
from measure.analysis.samples import Samples
from measure.analysis.timeline import Timeline
from measure.output.figures import PART_COLOURS, milliseconds, share
from measure.output.results import REPORT
from measure.output.tables import COLOURS, INSIDE, LABELS, STORAGE_COLUMNS, delivery_lines, storage_rows
from measure.run.view import describe
from measure.summary import GateResult, Plan, Summary


def write_report(directory: Path, summary: Summary, samples: Samples, timeline: Timeline) -> Path:
    """Write a run's report.html and return its path."""
    path = directory / REPORT
    path.write_text(render(summary, samples, timeline), encoding="utf-8")
    return path


def render(summary: Summary, samples: Samples, timeline: Timeline) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ms=milliseconds, share=share, words=words, limit=_limit, measured=_measured)
    of_total = {one.part: one for one in summary.shares}
    return environment.get_template("report.html.j2").render(
        summary=summary,
        course=describe_plan(summary.plan),
        colour=COLOURS[summary.verdict.outcome],
        lines=delivery_lines(summary),
        labels=LABELS,
        of_total=of_total,
        application_share=sum(of_total[name].share for name in INSIDE if name in of_total),
        application_tail=sum(of_total[name].tail_share for name in INSIDE if name in of_total),
        tier_colours=PART_COLOURS,
        storage_columns=STORAGE_COLUMNS,
        storage_rows=storage_rows(summary.storage) if summary.storage else [],
        drawings=drawings(samples, timeline),
        document=json.dumps(summary.model_dump(mode="json", include={"config", "plan"}), indent=2),
    )


def describe_plan(plan: Plan) -> str:
    """Return a plan in words."""
    mix = ", ".join(f"{kind} {weight}" for kind, weight in plan.mix.items() if weight)
    return f"{describe(plan)}; mix {mix}; seed {plan.seed}"


def drawings(samples: Samples, timeline: Timeline) -> list[tuple[str, Markup]]:
    """Return the plots with their titles; none of a run without a request."""
    if not len(samples):
        return []
    # Only here: matplotlib takes longer to import than all the rest, and most commands draw nothing.
    from measure.output import plots

    drawn = [
        ("Requests per second", plots.rate_plot(timeline)),
        ("Median time per tier, stacked", plots.latency_plot(timeline)),
        ("The slowest 1 % per tier", plots.tail_plot(timeline)),
        ("Percentiles", plots.percentile_plot(samples)),
    ]
    # Drawings are made of numbers and of words of this program.
    return [(title, Markup(drawing)) for title, drawing in drawn]  # noqa: S704


def _limit(gate: GateResult) -> str:
    return share(gate.limit) if gate.gate in SHARES else f"{milliseconds(gate.limit)} ms"


def _measured(gate: GateResult) -> str:
    return share(gate.measured) if gate.gate in SHARES else f"{milliseconds(gate.measured)} ms"
