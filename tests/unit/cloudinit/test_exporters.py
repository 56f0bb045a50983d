"""Prometheus exporters in the guests: which, where, and when they start."""

from __future__ import annotations

import re

import pytest

from cloudinit import Family
from cloudinit.constants import NODE_METRICS_PORT
from cloudinit.families import FACTS, Exporter, has_exporter
from components.application import Application
from components.database import Database
from components.web import Web
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, WITH_METRICS, commands, document, installed

UNITS = "/etc/systemd/system"
NODE, NGINX, POSTGRESQL = (f"{UNITS}/virtwork-{exporter}-exporter.service" for exporter in Exporter)


def arguments(unit: str) -> list[str]:
    """The command of a unit, as systemd splits it: no argument of ours is quoted."""
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", unit, re.M)
    return str(command).replace("\\\n", " ").split()


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("tier", EVERY_GUEST)
def test_a_guest_without_metrics_has_no_trace_of_them(tier: str, family: Family) -> None:
    guest = document(EVERY_GUEST[tier](family))

    assert not [path for path in guest["write_files"] if "exporter" in path or "metrics" in path]
    assert "virtwork-exporters.service" not in guest["runcmd"][0]
    assert "METRICS_PORT" not in guest["write_files"].get("/etc/virtwork/application.env", "")
    assert "pg_monitor" not in guest["write_files"].get("/etc/virtwork/role.sql", "")
    assert not [package for package in installed(EVERY_GUEST[tier](family)) if "prometheus" in package]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("tier", WITH_METRICS)
def test_exporters_are_installed_after_the_tier_and_independently(tier: str, family: Family) -> None:
    guest = document(WITH_METRICS[tier](family))
    unit = guest["write_files"][f"{UNITS}/virtwork-exporters.service"]
    (install,) = commands(WITH_METRICS[tier](family), "virtwork-exporters")

    assert guest["runcmd"][0][1] == "virtwork-configure.service"
    assert guest["runcmd"][0][-1] == "virtwork-exporters.service"
    assert guest["bootcmd"][0][-len(guest["runcmd"][0]) :] == guest["runcmd"][0]
    assert "After=virtwork-configure.service\n" in unit
    assert not re.search("Requires|BindsTo", unit)
    packages = {program.package for program in FACTS[family].exporters.values()}
    assert packages >= set(install.split()[1:]) > set()
    assert not packages & set(installed(WITH_METRICS[tier](family)))


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
