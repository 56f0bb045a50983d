"""Quantities and durations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.settings.values import bytes_of, seconds_of


@pytest.mark.parametrize(
    ("quantity", "count"),
    [("1", 1), ("1k", 1000), ("1Ki", 1024), ("1.5Gi", 1610612736), ("2T", 2 * 10**12), ("1Pi", 2**50)],
)
def test_a_quantity_is_converted_to_bytes(quantity: str, count: int) -> None:
    assert bytes_of(quantity) == count


@pytest.mark.parametrize(("duration", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3600)])
def test_a_duration_is_converted_to_seconds(duration: str, seconds: int) -> None:
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize("convert", [bytes_of, seconds_of])
def test_other_text_is_an_error(convert: Callable[[str], int]) -> None:
    with pytest.raises(ValueError, match="not a"):
        convert("soon")
