"""The plot of bench.json."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes


def save(bench: dict[str, Any], path: Path) -> None:
    """Plot the measured parts into an SVG or PNG file."""
    drawn: dict[str, Callable[[Any, Axes], None]] = {
        "starting": _starting,
        "creating": _creating,
        "serving": _serving,
        "generating": _generating,
        "costs": _costs,
    }
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


def _serving(serving: dict[str, Any], axis: Axes) -> None:
    sides = list(dict.fromkeys(one["side"] for one in serving["runs"]))
    for place, side in enumerate(sides):
        values = [one["per_second"] for one in serving["runs"] if one["side"] == side]
        axis.plot(values, [place] * len(values), "o", color="0.6", markersize=4)
        axis.plot(statistics.median(values), place, "o", color="#0072b2", markersize=8)
    axis.set_xscale("log")
    axis.set_yticks(range(len(sides)), sides)
    axis.set_xlabel("requests/s (gray: repeats, blue: median)")
    axis.set_title("Most that is served")


def _generating(generating: dict[str, Any], axis: Axes) -> None:
    runs = [one for one in generating["runs"] if "true_p99_ms" in one]
    tools = list(dict.fromkeys(one["tool"] for one in runs))
    for place, tool in enumerate(tools):
        mine = [one for one in runs if one["tool"] == tool]
        axis.bar(place, statistics.median(one["p99_ms"] for one in mine), color="#0072b2")
        truth = statistics.median(one["true_p99_ms"] for one in mine)
        axis.plot([place - 0.4, place + 0.4], [truth] * 2, color="#d55e00")
    axis.set_xticks(range(len(tools)), tools)
    axis.set_ylabel("p99 in ms (orange: true)")
    axis.set_title("Reported when the application freezes")


def _starting(starting: dict[str, Any], axis: Axes) -> None:
    names = [name for name, one in starting.items() if isinstance(one, dict) and one.get("spread")]
    for place, name in enumerate(names):
        axis.plot(starting[name]["spread"], [place] * 2, color="0.6")
        axis.plot(starting[name]["value"], place, "o", color="#0072b2", markersize=8)
    axis.set_yticks(range(len(names)), [name.removesuffix("_s").replace("_", " ") for name in names])
    axis.set_xlabel("seconds")
    axis.set_title("Starting")


def _creating(creating: dict[str, Any], axis: Axes) -> None:
    kinds = {
        "configmaps": "0.6",
        "created": "#0072b2",
        "created, file backend": "#56b4e9",
        "ready": "#d55e00",
        "pooled": "#009e73",
        "kube-burner": "#cc79a7",
    }
    for kind, colour in kinds.items():
        ups = [one for one in creating["runs"] if (one["kind"], one["command"]) == (kind, "up")]
        axis.plot([one["size"] for one in ups], [one["seconds"] for one in ups], "o", color=colour, label=kind)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("objects")
    axis.set_ylabel("up, in seconds")
    axis.set_title("Creating ConfigMaps and machines")
    axis.legend()
