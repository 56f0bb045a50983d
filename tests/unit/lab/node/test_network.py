from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.config import Lab
from lab.errors import LabError
from lab.node.network import free_address, network_of

SUBNET = IPv4Network("10.96.128.0/29")


@pytest.mark.parametrize(
    ("taken", "last", "expected"),
    [((), None, 1), ((2,), 2, 3), ((1, 6), 6, 2)],
    ids=["first", "reused as late as possible", "wraps around"],
)
def test_addresses_are_allocated_in_order(taken: tuple[int, ...], last: int | None, expected: int) -> None:
    found = free_address(SUBNET, {SUBNET[number] for number in taken}, SUBNET[last] if last else None)
    assert found == SUBNET[expected]


def test_network_and_broadcast_addresses_are_never_allocated() -> None:
    hosts = set(SUBNET.hosts())
    assert {free_address(SUBNET, hosts - {host}, None) for host in hosts} == hosts
    with pytest.raises(LabError, match="All 6 guest addresses"):
        free_address(SUBNET, hosts, None)


def test_kernel_names_are_short_enough_and_specific_to_the_lab() -> None:
    lab = Lab(Path("/tmp/lab"), IPv4Network("10.96.0.0/16"))  # noqa: S108 - never created
    network = network_of(lab, "498ce2db-2448-4af1-b3bd-c0eadee685a1")
    assert network.namespace == f"{lab.name}-498ce2db"
    assert len(network.link) < 16, "the kernel's limit for interface names"
    assert network.mac == "02:00:49:8c:e2:db"
