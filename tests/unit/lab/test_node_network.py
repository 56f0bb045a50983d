from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from lab.config import Lab
from lab.errors import LabError
from lab.node.network import free_address, network_of

SUBNET = IPv4Network("10.96.128.0/29")


def address(last: int) -> IPv4Address:
    return SUBNET[last]


def test_the_first_guest_gets_the_first_address() -> None:
    assert free_address(SUBNET, (), None) == address(1)


def test_an_address_is_reused_as_late_as_possible() -> None:
    assert free_address(SUBNET, {address(2)}, address(2)) == address(3)


def test_allocation_goes_around_at_the_end_and_skips_what_is_taken() -> None:
    assert free_address(SUBNET, {address(1), address(6)}, address(6)) == address(2)


def test_network_and_broadcast_addresses_are_never_given() -> None:
    given: set[IPv4Address] = set()
    for _ in range(6):
        given.add(free_address(SUBNET, given, max(given, default=None)))
    assert given == set(SUBNET.hosts())


def test_a_full_subnet_says_so() -> None:
    with pytest.raises(LabError, match="All 6 guest addresses"):
        free_address(SUBNET, set(SUBNET.hosts()), None)


def test_names_in_the_kernel_are_short_enough_and_of_this_lab() -> None:
    lab = Lab(Path("/tmp/lab"), IPv4Network("10.96.0.0/16"))  # noqa: S108 - never made
    network = network_of(lab, "498ce2db-2448-4af1-b3bd-c0eadee685a1")
    assert network.namespace == f"{lab.name}-498ce2db"
    assert len(network.link) < 16, "the kernel's limit for the name of a link"
    assert network.mac == "02:00:49:8c:e2:db"
