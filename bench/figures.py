"""The figures of the bench: a value with its spread and the number of its repeats, or why there is none."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table

Figure = dict[str, Any]
"""`value`, `spread` (least and most) and `repeats`; or `value` None and a `reason`."""


def figure(values: Sequence[float], summary: Callable[[Sequence[float]], float] = statistics.median) -> Figure:
    """Return the figure of some repeats: their median, unless another summary is given."""
    if not values:
        return missing("not measured")
    return {"value": summary(values), "spread": [min(values), max(values)], "repeats": len(values)}


def ratio(values: Sequence[float], others: Sequence[float]) -> Figure:
    """Return the figure of a ratio, repeat by repeat: a slow moment of the machine affects both sides."""
    return figure([one / other for one, other in zip(values, others, strict=True)])


def missing(reason: str) -> Figure:
    """Return a figure that could not be taken."""
    return {"value": None, "reason": reason}


def text(found: Figure) -> str:
    """Return a figure's value and spread, or a dash."""
    if found["value"] is None:
        return "-"
    least, most = found["spread"]
    value = f"{found['value']:.3g}"
    return value if found["repeats"] == 1 else f"{value} [{least:.3g}-{most:.3g}]"


def table(bench: Mapping[str, Any]) -> Table:
    """Return the figures of all sections, by the names that they have in bench.json."""
    rows = Table("figure", "value [spread]", "repeats", "if absent, why")
    for section, found in bench.items():
        for name, one in found.items():
            if isinstance(one, dict) and "value" in one:
                rows.add_row(f"{section}.{name}", text(one), str(one.get("repeats", "")), one.get("reason", ""))
    return rows
