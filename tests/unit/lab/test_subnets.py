"""Labs choose subnets that nothing else on the machine uses."""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.config import API_SERVER_PORT, DEFAULT_SUBNET, Lab
from lab.errors import LabError
from lab.host import network, subnets
from lab.progress import Progress

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="labs run on Linux")


@pytest.fixture(autouse=True)
def _own_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labs that start on this machine meanwhile don't hold up these tests."""
    monkeypatch.setattr(subnets, "_LOCK", f"\0multi-tier-subnets-{os.getpid()}")


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The routes of a machine, which a test fills in."""
    found: list[dict[str, str]] = [{"dst": "default", "dev": "eth0"}]
    monkeypatch.setattr(subnets, "run", lambda *_: json.dumps(found))
    return found


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.at(tmp_path, DEFAULT_SUBNET)


def chosen(lab: Lab) -> tuple[IPv4Network, str]:
    """Return the subnet that a lab gets, and what is printed about it."""
    output = io.StringIO()
    with subnets.claimed(lab, Progress(Console(file=output, width=200))) as found:
        return found.subnet, output.getvalue()


@pytest.mark.usefixtures("routes")
def test_a_lab_gets_its_preferred_subnet_if_that_is_free(lab: Lab) -> None:
    assert chosen(lab) == (DEFAULT_SUBNET, "")


@pytest.mark.parametrize("taken", ["10.96.0.0/16", "10.96.7.0/24", "10.96.64.1", "10.96.0.0/12"])
def test_a_lab_moves_to_a_free_subnet_and_says_so(lab: Lab, routes: list[dict[str, str]], taken: str) -> None:
    routes.append({"dst": taken, "dev": "docker0"})
    subnet, output = chosen(lab)
    assert not subnet.overlaps(IPv4Network(taken))
    assert output == f"{DEFAULT_SUBNET} is in use on this machine; the lab's subnet is {subnet}.\n"


@pytest.mark.parametrize("route", [{"dst": "0.0.0.0/1", "dev": "tun0"}, {"dst": "10.96.0.0/16", "dev": "mt-OWN"}])
def test_a_default_route_in_halves_and_the_labs_own_link_are_no_conflict(
    lab: Lab, routes: list[dict[str, str]], route: dict[str, str]
) -> None:
    routes.append({**route, "dev": route["dev"].replace("mt-OWN", network.link(lab))})
    assert chosen(lab)[0] == DEFAULT_SUBNET


def test_a_lab_that_was_started_before_does_not_move(lab: Lab, routes: list[dict[str, str]]) -> None:
    lab.save()
    routes.append({"dst": "10.96.0.0/16", "dev": "docker0"})
    with pytest.raises(
        LabError, match=r"in use on this machine \(a route to 10.96.0.0/16 via docker0\).*make lab-down"
    ):
        chosen(Lab.at(lab.root, DEFAULT_SUBNET))


@pytest.mark.parametrize("variable", ["10.97.0.0/24", "10.97.0.0", "10.97.0.1/16", "nonsense"])
def test_a_subnet_that_is_no_slash_16_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("MULTI_TIER_LAB_SUBNET", variable)
    with pytest.raises(LabError, match=r"MULTI_TIER_LAB_SUBNET=.*such as 10.96.0.0/16"):
        Lab.from_environment()


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Lab]:
    """A lab without guests whose API server listens."""
    lab = Lab(tmp_path / "first", IPv4Network("127.79.0.0/16"))
    with socket.create_server((str(lab.address), API_SERVER_PORT)):
        yield lab


def test_a_lab_without_guests_avoids_the_subnet_of_another_one(listening: Lab, tmp_path: Path) -> None:
    subnet, output = chosen(Lab.at(tmp_path, listening.subnet))
    assert subnet != listening.subnet
    assert subnet.is_loopback
    assert output == ""


@pytest.mark.usefixtures("routes")
def test_two_labs_that_start_at_once_choose_one_after_the_other(lab: Lab, tmp_path: Path) -> None:
    second: list[Any] = []
    other = Lab.at(tmp_path / "other", DEFAULT_SUBNET)
    other.root.mkdir()
    thread = threading.Thread(target=lambda: second.append(chosen(other)))
    with subnets.claimed(lab, Progress(Console(file=io.StringIO()))):
        thread.start()
        thread.join(0.3)
        assert not second, "it waits until the first one uses its subnet"
    thread.join(5)
    assert second
