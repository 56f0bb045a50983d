"""The plot of bench.json."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_PERCENTILES = ("p50", "p99", "p999", "max")


def save(bench: dict[str, Any], path: Path) -> None:
    """Plot the measured parts into an SVG or PNG file."""
    drawn: dict[str, Callable[[Any, Axes], None]] = {"costs": _costs, "frozen_second": _frozen, "creating": _creating}
    wanted = [part for part in drawn if part in bench]
    if not wanted:
        return
    figure, axes = plt.subplots(1, len(wanted), figsize=(5.5 * len(wanted), 4), layout="constrained", squeeze=False)
    for part, axis in zip(wanted, axes[0], strict=True):
        drawn[part](bench[part], axis)
    figure.savefig(path)
    plt.close(figure)


def _costs(costs: dict[str, Any], axis: Axes) -> None:
    names = [name for name, cost in costs.items() if isinstance(cost, dict)]
    for place, cost in enumerate(costs[name] for name in names):
        ratio = cost["throughput"]["ratio"]
        axis.plot(ratio["values"], [place] * len(ratio["values"]), "o", color="0.6", markersize=4)
        axis.plot(ratio["median"], place, "o", color="#0072b2", markersize=8)
        axis.plot([1 - cost["limit"]] * 2, [place - 0.3, place + 0.3], color="#d55e00")
    axis.axvline(1, color="0.8", zorder=0)
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("throughput with / without (gray: rounds, blue: median, orange: limit)")
    axis.set_title("Cost of measuring")


def _frozen(frozen: dict[str, Any], axis: Axes) -> None:
    for offset, (name, colour) in enumerate({"open": "#0072b2", "closed": "#e69f00"}.items()):
        places = [place + 0.4 * offset - 0.2 for place in range(len(_PERCENTILES))]
        label = {"open": "open model", "closed": "closed loop"}[name]
        axis.bar(places, [frozen[name][percentile] for percentile in _PERCENTILES], 0.4, color=colour, label=label)
    axis.set_yscale("log")
    axis.set_xticks(range(len(_PERCENTILES)), ["p50", "p99", "p99.9", "max"])
    axis.set_ylabel("latency in ms")
    axis.set_title("Latency when the application freezes for 1 s")
    axis.legend()


def _creating(creating: dict[str, Any], axis: Axes) -> None:
    kinds = {"configmaps": "0.6", "created": "#0072b2", "ready": "#d55e00"}
    for kind, colour in kinds.items():
        ups = [one for one in creating["runs"] if (one["kind"], one["command"]) == (kind, "up")]
        axis.plot([one["size"] for one in ups], [one["seconds"] for one in ups], "o", color=colour, label=kind)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("objects")
    axis.set_ylabel("up, in seconds")
    axis.set_title("Creating ConfigMaps and machines")
    axis.legend()
