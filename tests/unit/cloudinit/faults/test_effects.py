"""The machine that the effects of faults are for."""

from __future__ import annotations

import pytest

from cloudinit.files.faults.effects import read_machine

ENVIRONMENT = {"TIER": "application", "SERVICE": "virtwork-app.service"}


@pytest.mark.parametrize(
    ("hostname", "number"),
    [
        ("multi-tier-application-0", 0),
        ("multi-tier-application-12", 12),
        ("multi-tier-application-pool-3", 3),
        ("shop-2-application-1.example.com", 1),
        ("multi-tier-application-canary-0", -1),
        ("a-canary-b-application-1", 1),
    ],
)
def test_its_number_is_at_the_end_of_its_host_name_unless_it_is_a_canary(hostname: str, number: int) -> None:
    assert read_machine(ENVIRONMENT, hostname).number == number


def test_a_host_name_without_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="the host name guest does not end with a number"):
        read_machine(ENVIRONMENT, "guest")
