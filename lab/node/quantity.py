"""Kubernetes quantities: "512Mi", "2", "1500m", "10G"."""

from __future__ import annotations

import re
from decimal import Decimal

_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")


def parse(text: str | int | float) -> Decimal:
    """Return a quantity's value.

    Raises:
        ValueError: it is none.
    """
    match = _FORM.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 512Mi or 1500m")
    number, exponent, suffix = match.groups()
    scale = Decimal(10) ** int(exponent) if exponent else _FACTORS[suffix or ""]
    return Decimal(number) * scale


def to_bytes(text: str | int | float) -> int:
    """Return a quantity of memory or storage in bytes, rounded up."""
    value = parse(text)
    return int(value) + (value != int(value))
