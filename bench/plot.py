"""A picture of bench.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

_PERCENTILES = ("p50", "p99", "p999", "max")


def save(bench: dict[str, Any], path: Path) -> None:
    """Draw the costs and the frozen second into an SVG or PNG file."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    costs = bench["costs"]
    for place, cost in enumerate(costs.values()):
        ratio = cost["throughput"]["ratio"]
        left.plot(ratio["values"], [place] * len(ratio["values"]), "o", color="0.6", markersize=4)
        left.plot(ratio["median"], place, "o", color="#0072b2", markersize=8)
        left.plot([1 - cost["limit"]] * 2, [place - 0.3, place + 0.3], color="#d55e00")
    left.axvline(1, color="0.8", zorder=0)
    left.set_yticks(range(len(costs)), list(costs))
    left.set_xlabel("throughput with, as a share of without (grey: rounds, blue: median, red: limit)")
    left.set_title("What measuring costs")
    frozen = bench["frozen_second"]
    for offset, (name, colour) in enumerate({"open": "#0072b2", "closed": "#e69f00"}.items()):
        places = [place + 0.4 * offset - 0.2 for place in range(len(_PERCENTILES))]
        label = {"open": "from when it was due", "closed": "closed loop"}[name]
        right.bar(places, [frozen[name][percentile] for percentile in _PERCENTILES], 0.4, color=colour, label=label)
    right.set_yscale("log")
    right.set_xticks(range(len(_PERCENTILES)), ["p50", "p99", "p99.9", "max"])
    right.set_ylabel("ms")
    right.set_title("The application stands still for a second")
    right.legend()
    figure.savefig(path)
    plt.close(figure)
