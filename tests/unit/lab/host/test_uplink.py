"""The way out changes this machine's forwarding only as long as, and as far as, nobody else needs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.config import DEFAULT_SUBNET, Lab
from lab.host import uplink


class Machine:
    """A machine's nftables and its setting."""

    def __init__(self, directory: Path) -> None:
        self.forwarding = directory / "ip_forward"
        self.chains: list[dict[str, str]] = [{"family": "inet", "table": "firewall", "hook": "forward"}]

    def run(self, *command: str, stdin: str = "") -> str:
        if command[:2] == ("nft", "-f"):
            self.chains.append({"family": "ip", "table": stdin.split()[2], "hook": "forward"})
        elif command[:2] == ("nft", "delete"):
            self.chains = [chain for chain in self.chains if chain["table"] != command[-1]]
        return json.dumps({"nftables": [{"metainfo": {}}, *({"chain": chain} for chain in self.chains)]})


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)
    found.forwarding.write_text("0\n")
    monkeypatch.setattr(uplink, "_FORWARDING", found.forwarding)
    monkeypatch.setattr(uplink, "_FORMER", tmp_path / "former")
    monkeypatch.setattr(uplink, "_LEGACY_TABLES", tmp_path / "ip_tables_names")
    monkeypatch.setattr(uplink, "run", found.run)
    return found


LABS = [Lab(Path(f"/lab-{number}"), DEFAULT_SUBNET) for number in (1, 2)]


def test_the_last_lab_restores_the_setting(machine: Machine) -> None:
    for lab in LABS:
        uplink.up(lab)
    uplink.down(LABS[0])
    assert machine.forwarding.read_text() == "1"
    uplink.down(LABS[1])
    assert machine.forwarding.read_text() == "0"


@pytest.mark.parametrize("legacy", [True, False])
def test_it_stays_if_somebody_else_came_to_need_it(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, legacy: bool
) -> None:
    uplink.up(LABS[0])
    if legacy:
        (tmp_path / "ip_tables_names").write_text("nat\n")
    else:
        machine.chains.append({"family": "ip", "table": "nat", "hook": "postrouting", "type": "nat"})
    uplink.down(LABS[0])
    assert machine.forwarding.read_text() == "1"
    assert "nat appeared since" in capsys.readouterr().out
    uplink.up(LABS[0])
    uplink.down(LABS[0])
    assert machine.forwarding.read_text() == "1", "nothing is remembered of the lab before"


def test_a_machine_that_forwarded_before_goes_on(machine: Machine) -> None:
    machine.forwarding.write_text("1\n")
    uplink.up(LABS[0])
    uplink.down(LABS[0])
    assert machine.forwarding.read_text() == "1"
