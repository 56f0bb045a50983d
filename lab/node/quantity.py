"""Kubernetes quantities: "512Mi", "2", "1500m", "10G"."""

from __future__ import annotations

import math
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity


def parse(text: str | int | float) -> Decimal:
    """Return a quantity's value.

    Raises:
        ValueError: it is none.
    """
    try:
        if str(text) != "".join(str(text).split()):
            raise ValueError  # noqa: TRY301 - the library lets spaces pass; Kubernetes doesn't
        return Decimal(parse_quantity(text))
    except ValueError:
        raise ValueError(f"{text!r} is not a quantity such as 512Mi or 1500m") from None


def to_bytes(text: str | int | float) -> int:
    """Return a quantity of memory or storage in bytes, rounded up."""
    return math.ceil(parse(text))
