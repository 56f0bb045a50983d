"""The plot of soak.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_KINDS = {"memory": "memory (MiB)", "files": "open files", "disk": "disk (MiB)"}


def save(
    times: Sequence[float],
    usage: Mapping[str, Mapping[str, Sequence[float]]],
    latency: Mapping[str, Sequence[float]],
    faults: Sequence[tuple[str, float, float]],
    path: Path,
) -> None:
    """Plot the figures over the time into an SVG or PNG file, with the faults shaded."""
    figure, axes = plt.subplots(len(_KINDS) + 1, 1, figsize=(11, 13), sharex=True, layout="constrained")
    for axis, (kind, label) in zip(axes, _KINDS.items(), strict=False):
        for subject, kinds in usage.items():
            values = kinds.get(kind, ())
            axis.plot(times[: len(values)], values, linewidth=1.2, label=subject)
        axis.set_ylabel(label)
    for name, values in latency.items():
        axes[-1].plot(times[: len(values)], values, linewidth=1.2, label=name)
    axes[-1].set(ylabel="latency (ms)", yscale="log", xlabel="seconds")
    for axis in axes:
        _shade(axis, faults)
    axes[0].legend(fontsize="x-small", ncols=4)
    axes[-1].legend(fontsize="small")
    figure.savefig(path)
    plt.close(figure)


def _shade(axis: Axes, faults: Sequence[tuple[str, float, float]]) -> None:
    for name, start, end in faults:
        axis.axvspan(start, max(end, start + 1), color="#d55e00", alpha=0.2)
        axis.text(start, 1, name, fontsize=6, va="bottom", transform=axis.get_xaxis_transform())
