from decimal import Decimal

import pytest

from lab.node import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512Mi", 512 << 20),
        ("1Gi", 1 << 30),
        ("2G", 2 * 10**9),
        ("1500m", Decimal("1.5")),
        ("0.5Gi", 512 << 20),
        ("1e3", 1000),
        ("3", 3),
        (2, 2),
    ],
)
def test_a_quantity_has_the_value_that_kubernetes_gives_it(text: str, value: int) -> None:
    assert quantity.parse(text) == value


def test_parts_of_a_byte_are_rounded_up() -> None:
    assert quantity.to_bytes("1500m") == 2


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1KiB", "1.2.3Gi", "0x10", "-"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity.to_bytes(text)
