"""The report's plots, as inline SVG: no script, no link, text in the page's own colour."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from measure.analysis.faults import spans
from measure.analysis.samples import PARTS, TIERS, Samples, latencies, part
from measure.analysis.timeline import Timeline
from measure.output.tables import PART_COLOURS
from measure.startup_summary import Phase, StartupSummary
from measure.summary import FaultSummary

_CLIENT, _SCHEDULED = "#CC79A7", "#0072B2"
_INK = "#010203"  # placeholder for the page's text colour
_STYLE: dict[Any, object] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.2,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"), _INK
    ),
}
_FAULT = "#D55E00"
_PHASE_COLOURS = {
    Phase.CREATED: "#999999",
    Phase.SCHEDULED: "#E69F00",
    Phase.RUNNING: "#56B4E9",
    Phase.READY: "#009E73",
    Phase.SERVING: "#D55E00",
}
_NARROWEST = 0.003  # share of the plot, for a fault that takes no time
_POINTS = 400
_LOWEST = 0.01  # ms, lower end of logarithmic axes


def rate_plot(timeline: Timeline, faults: Sequence[FaultSummary] = ()) -> str:
    """Return the rates of scheduled and sent requests and of errors, over time."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(2.8)
        seconds = timeline["second"]
        scheduled = timeline["scheduled"]
        axes.step(seconds, scheduled, where="post", color=_SCHEDULED, linewidth=3, alpha=0.5, label="scheduled")
        axes.step(seconds, timeline["sent"], where="post", color=_INK, linewidth=1.2, label="sent")
        if timeline["errors"].any():
            axes.fill_between(seconds, timeline["errors"], step="post", color=PART_COLOURS["total"], label="errors")
        axes.set(xlabel="time (s)", ylabel="requests per second", ylim=(0, None))
        _shade(axes, faults, float(timeline["second"][-1]) + 1)
        return _svg(figure, axes, "rate")


def latency_plot(timeline: Timeline, faults: Sequence[FaultSummary] = ()) -> str:
    """Return the parts' medians, stacked, with the total's median, over time."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(3.4)
        seconds = timeline["second"]
        stack = [np.nan_to_num(timeline[f"{name}_p50"], posinf=0) for name in PARTS]
        axes.stackplot(
            seconds, stack, colors=[PART_COLOURS[name] for name in PARTS], labels=[f"{n} p50" for n in PARTS]
        )
        total = np.where(np.isfinite(timeline["total_p50"]), timeline["total_p50"], np.nan)
        axes.plot(seconds, total, color=_INK, linewidth=1.2, label="total p50")
        axes.set(xlabel="scheduled time (s)", ylabel="median latency (ms)", ylim=(0, None))
        _shade(axes, faults, float(timeline["second"][-1]) + 1)
        return _svg(figure, axes, "latency")


def tail_plot(timeline: Timeline, faults: Sequence[FaultSummary] = ()) -> str:
    """Return the p99 of the total and of each part, over time."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(3.4)
        for name in (*PARTS, "total"):
            times = timeline[f"{name}_p99"]
            times = np.where((times >= _LOWEST) & np.isfinite(times), times, np.nan)
            axes.plot(timeline["second"], times, color=PART_COLOURS[name], linewidth=1.4, label=f"{name} p99")
        axes.set(xlabel="scheduled time (s)", ylabel="p99 latency (ms)", yscale="log")
        _shade(axes, faults, float(timeline["second"][-1]) + 1)
        return _svg(figure, axes, "tail")


def percentile_plot(samples: Samples) -> str:
    """Return the latency at each percentile: of the tiers, and of the total from its scheduled and send times."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(4.0)
        lines = [(name, PART_COLOURS[name], "-", name) for name in TIERS]
        lines += [("client", _CLIENT, "--", "total, send time (closed loop)")]
        lines += [("total", PART_COLOURS["total"], "-", "total, scheduled time")]
        for name, colour, dash, label in lines:
            times = np.sort(part(samples, name) if name == "client" else latencies(samples, name))
            times = times[~np.isnan(times)]
            if len(times):
                slower, index = _ranks(len(times))
                # The line ends where requests were not answered.
                ranked = np.where(np.isfinite(times), np.maximum(times, _LOWEST), np.nan)[index]
                axes.plot(slower, ranked, dash, color=colour, linewidth=1.6, label=label)
        axes.set(xlabel="percentile", ylabel="latency (ms)", xscale="log", yscale="log")
        ticks = [one for one in (2, 10, 20, 100, 1000, 10_000, 100_000) if one <= max(len(samples), 2)]
        axes.set_xticks(ticks, [f"p{100 - 100 / one:.5g}" for one in ticks])
        axes.minorticks_off()
        return _svg(figure, axes, "percentiles")


def startup_plot(summary: StartupSummary) -> str:
    """Return how many machines have reached each phase, over the time since the start."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(3.4)
        for phase, colour in _PHASE_COLOURS.items():
            times = sorted(time for one in summary.machines if (time := getattr(one, phase)) is not None)
            if times:
                counts = [*range(len(times) + 1), len(times)]
                axes.step(
                    [0.0, *times, summary.seconds], counts, where="post", color=colour, linewidth=1.6, label=phase
                )
        axes.set(xlabel="time since the start (s)", ylabel="machines", xlim=(0, summary.seconds), ylim=(0, None))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(figure, axes, "startup")


def _shade(axes: Axes, faults: Sequence[FaultSummary], end: float) -> None:
    """Shade the time of each fault, with its title."""
    for row, fault in enumerate(faults):
        for number, (begin, until) in enumerate(spans(fault.spans, end)):
            axes.axvspan(begin, max(until, begin + _NARROWEST * end), color=_FAULT, alpha=0.13, linewidth=0, zorder=0)
            if number == 0:
                place = axes.get_xaxis_transform()
                axes.text(begin, 0.98 - 0.08 * row, f" {fault.title}", transform=place, va="top", fontsize=8)


def _ranks(count: int) -> tuple[np.typing.NDArray[np.float64], np.typing.NDArray[np.int64]]:
    """Return 1/(1 - percentile) up to the slowest request, and the index of each in sorted times."""
    slower = np.geomspace(1.0, max(count, 2), _POINTS)
    index = np.clip(np.ceil((1 - 1 / slower) * count - 1e-9).astype(np.int64) - 1, 0, count - 1)
    return slower, index


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.5, height), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure, axes: Axes, name: str) -> str:
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0, ncols=6)
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    text = io.StringIO()
    # Ids in a drawing derive from this salt; they must differ because the drawings share a page.
    salt: dict[Any, object] = {"svg.hashsalt": name}
    with mpl.rc_context(salt):
        figure.savefig(text, format="svg", metadata={"Date": None})
    drawing = text.getvalue()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing[drawing.index("<svg") :], flags=re.DOTALL)
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    drawing = drawing.replace(_INK, "currentColor")
    # The page sets the width; the viewBox keeps the aspect ratio.
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"|<svg height="[^"]*"', r"<svg \1", drawing, count=1)
