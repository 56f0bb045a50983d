"""Prometheus exporters in the guests: which, where, and when they start."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cloudinit import Family
from cloudinit.constants import NODE_METRICS_PORT
from cloudinit.families import FACTS, Exporter, has_exporter
from components.application import Application
from components.database import Database
from components.web import Web
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, WITH_METRICS, parse

UNITS = "/etc/systemd/system"
NODE, NGINX, POSTGRESQL = (f"{UNITS}/virtwork-{exporter}-exporter.service" for exporter in Exporter)


def document(user_data: str) -> dict[str, Any]:
    found: dict[str, Any] = parse(user_data)
    return found | {"write_files": {file["path"]: file["content"] for file in found["write_files"]}}


def arguments(unit: str) -> list[str]:
    """The command of a unit, as systemd splits it: no argument of ours is quoted."""
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", unit, re.M)
    return str(command).replace("\\\n", " ").split()


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("tier", EVERY_GUEST)
def test_a_guest_without_metrics_has_no_trace_of_them(tier: str, family: Family) -> None:
    guest = document(EVERY_GUEST[tier](family))

    assert not [path for path in guest["write_files"] if "exporter" in path or "metrics" in path]
    assert "METRICS_PORT" not in guest["write_files"].get("/etc/virtwork/application.env", "")
    assert "pg_monitor" not in guest["write_files"].get("/etc/virtwork/role.sql", "")
    assert "prometheus" not in str(guest["runcmd"])


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("tier", WITH_METRICS)
def test_a_tier_is_configured_before_its_exporters_and_independently(tier: str, family: Family) -> None:
    configure, exporters = document(WITH_METRICS[tier](family))["runcmd"]

    assert configure[0].endswith("virtwork-configure")
    assert exporters[0].endswith("virtwork-start-exporters")
    assert not {program.package for program in FACTS[family].exporters.values()} & set(configure)


@pytest.mark.parametrize(
    ("tier", "path", "port"),
    [
        ("database", NODE, NODE_METRICS_PORT),
        ("application", NODE, NODE_METRICS_PORT),
        ("web", NODE, NODE_METRICS_PORT),
        ("database", POSTGRESQL, Database.endpoint.metrics_port),
        ("web", NGINX, Web.endpoint.metrics_port),
    ],
)
def test_an_exporter_listens_on_the_services_port_on_every_address(tier: str, path: str, port: int) -> None:
    unit = document(WITH_METRICS[tier](Family.DEBIAN))["write_files"][path]

    assert f"--web.listen-address=:{port}" in arguments(unit)


def test_the_application_serves_metrics_on_the_services_port() -> None:
    files = document(WITH_METRICS["application"](Family.DEBIAN))["write_files"]

    assert f'METRICS_PORT="{Application.endpoint.metrics_port}"\n' in files["/etc/virtwork/application.env"]


@pytest.mark.parametrize(("tier", "exporter"), [("database", Exporter.POSTGRESQL), ("web", Exporter.NGINX)])
@pytest.mark.parametrize("family", Family)
def test_an_exporter_that_a_distribution_lacks_is_left_out(tier: str, exporter: Exporter, family: Family) -> None:
    user_data = WITH_METRICS[tier](family)

    assert has_exporter(family, Exporter.NODE)
    assert (f"virtwork-{exporter}-exporter.service" in user_data) == has_exporter(family, exporter)
    assert ("pg_monitor" in user_data) == (tier == "database" and has_exporter(family, exporter))
