"""Numbers and parts as people see them."""

from __future__ import annotations

# Okabe and Ito's colours, told apart by everybody.
PART_COLOURS = {
    "wait": "#999999",
    "web": "#56B4E9",
    "application": "#E69F00",
    "database": "#009E73",
    "total": "#D55E00",
}


def milliseconds(value: float | None) -> str:
    """Return a time with as many digits as mean something, `-` for none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def share(value: float | None) -> str:
    """Return a share in percent, `-` for none."""
    if value is None:
        return "-"
    # 99.99 % of something is not all of it.
    return f"{value:.2%}" if value in (0, 1) or 0.0001 <= value <= 0.9999 else f"{value:.4%}"


def rate(value: float) -> str:
    """Return requests per second."""
    return f"{value:,.0f}/s" if value >= 10 else f"{value:.1f}/s"
