"""The commands that impair the network."""

from __future__ import annotations

from cloudinit.files.faults.network import Impairment, netem_commands

WHOLE = Impairment(latency=0.05, jitter=0.005, loss=0.01, bandwidth=125_000)


def test_netem_gets_latency_on_the_way_there_and_loss_and_bandwidth_both_ways() -> None:
    assert WHOLE.netem == ["delay", "50ms", "5ms", "loss", "1%", "rate", "1000000bit"]
    assert WHOLE.netem_back == ["loss", "1%", "rate", "1000000bit"]
    assert Impairment(loss=0.5).netem == ["loss", "50%"]


def test_without_loss_and_bandwidth_what_comes_back_takes_no_detour() -> None:
    commands = netem_commands("eth0", 5432, Impairment(latency=0.05))
    assert not [one for one in commands if "ifb" in one or "ingress" in one]


def test_only_packets_of_connections_to_the_port_are_impaired() -> None:
    filters = [one for one in netem_commands("eth0", 5432, WHOLE) if "filter" in one]
    there = [one for one in filters if "dport" in one]
    back = [one for one in filters if "sport" in one]
    assert [one[one.index("protocol") + 1] for one in there] == ["ip", "ipv6"]
    assert all(one[one.index("dport") + 1 :][0] == "5432" and one[-2:] == ["flowid", "7677:4"] for one in there)
    assert all(one[-1] == "virtwork-faults" for one in back)
