"""Choosing a subnet that neither another lab nor anything else on this machine uses."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Network
from itertools import chain

from lab.command import run
from lab.config import API_SERVER_PORT, Lab
from lab.errors import LabError
from lab.host import network
from lab.progress import Progress

# Like a subnet, the name of an abstract Unix socket belongs to a network namespace. It needs no rights and ends with
# the process that bound it.
_LOCK = "\0multi-tier-subnets"
_POLL_SECONDS = 0.1
# The private networks, the least used first, and the one for benchmarks (RFC 2544).
_PRIVATE = ("10.96.0.0/11", "10.128.0.0/9", "10.64.0.0/11", "10.0.0.0/10", "172.16.0.0/12", "198.18.0.0/15")
_LOOPBACK = ("127.64.0.0/10", "127.128.0.0/9")
# VPNs split the default route into wider ones, which reserve nothing.
_WIDEST_PREFIX = 8


@contextmanager
def claimed(lab: Lab, progress: Progress) -> Iterator[Lab]:
    """Choose the lab's subnet. Other labs can't choose theirs until the body has put this one to use.

    Raises:
        LabError: The subnet is in use and the lab can't move, or no other is free.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        with progress.step("Waiting for another lab to start"):
            _acquire(lock)
        chosen = _choose(lab)
        if chosen.subnet != lab.subnet and lab.isolated:
            progress.console.print(f"{lab.subnet} is in use on this machine; the lab's subnet is {chosen.subnet}.")
        yield chosen


def _acquire(lock: socket.socket) -> None:
    while True:
        with suppress(OSError):
            return lock.bind(_LOCK)
        time.sleep(_POLL_SECONDS)


def _choose(lab: Lab) -> Lab:
    # On loopback, a lab can't tell its own API server from another's.
    found = conflict(lab) if lab.movable or lab.isolated else ""
    if not found:
        return lab
    if lab.movable:
        networks = (IPv4Network(text) for text in (_PRIVATE if lab.isolated else _LOOPBACK))
        for subnet in chain.from_iterable(one.subnets(new_prefix=lab.subnet.prefixlen) for one in networks):
            if not conflict(other := replace(lab, subnet=subnet)):
                return other
    raise LabError(
        f"The lab's subnet {lab.subnet} is in use on this machine ({found}). Set MULTI_TIER_LAB_SUBNET to a free /16 "
        "and run the same command again. A lab that was started before needs `make lab-down` first."
    )


def conflict(lab: Lab) -> str:
    """Return what else on this machine uses a lab's subnet: a route or, on loopback, a port. Empty if nothing does."""
    if not lab.isolated:
        with suppress(OSError), socket.create_server((str(lab.address), API_SERVER_PORT)):
            return ""
        return f"{lab.address}:{API_SERVER_PORT}"
    for route in json.loads(run("ip", "-4", "-json", "route", "show", "table", "all")):
        if route["dst"] == "default" or route.get("dev") == network.link(lab):
            continue
        destination = IPv4Network(route["dst"])
        if destination.prefixlen >= _WIDEST_PREFIX and destination.overlaps(lab.subnet):
            return f"a route to {destination} via {route.get('dev', 'nowhere')}"
    return ""
