"""The exporters in the guests: what metrics add to a guest, and that the real programs answer by it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudinit import Family
from cloudinit.families import FACTS, Exporter, has_exporter
from components.application import Application
from components.database import Database
from components.tier import NODE_METRICS_PORT
from components.web import Web
from tests.guest.guest_root import GuestRoot
from tests.guest.running_tiers import AS_POSTGRES, PASSWORD
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, WITH_METRICS

UNITS = "/etc/systemd/system"
NODE, NGINX, POSTGRESQL = (f"{UNITS}/virtwork-{exporter}-exporter.service" for exporter in Exporter)
PSQL = f"{AS_POSTGRES} psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname postgres"


def document(user_data: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(user_data)
    return found | {"write_files": {file["path"]: file["content"] for file in found["write_files"]}}


def arguments(unit: str) -> list[str]:
    """The command of a unit, as systemd splits it: no argument of ours is quoted."""
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", unit, re.M)
    return str(command).replace("\\\n", " ").split()


def value(metrics: str, sample: str) -> float:
    """A sample of the text that Prometheus would scrape."""
    (found,) = re.findall(rf"^{re.escape(sample)} (\S+)$", metrics, re.M)
    return float(found)


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("tier", WITH_METRICS)
def test_what_metrics_add_to_a_guest_is_its_golden_file(
    tier: str, family: Family, golden: Callable[[str, str], None]
) -> None:
    without, with_metrics = document(EVERY_GUEST[tier](family)), document(WITH_METRICS[tier](family))
    old, new = without["write_files"], with_metrics["write_files"]
    # The modules of the application are files of this repository, whole.
    changed = {path: text for path, text in new.items() if old.get(path) != text and not path.endswith(".py")}

    assert set(old) <= set(new)
    golden(
        f"{tier}.metrics.{family}.json",
        json.dumps(
            {"runcmd": with_metrics["runcmd"], "files": {path: changed[path].splitlines() for path in changed}},
            indent=2,
        )
        + "\n",
    )


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("tier", EVERY_GUEST)
def test_without_metrics_a_guest_knows_nothing_of_them(tier: str, family: Family) -> None:
    guest = document(EVERY_GUEST[tier](family))

    assert not [path for path in guest["write_files"] if "exporter" in path or "metrics" in path]
    assert "METRICS_PORT" not in guest["write_files"].get("/etc/virtwork/application.env", "")
    assert "pg_monitor" not in guest["write_files"].get("/etc/virtwork/role.sql", "")
    assert "prometheus" not in str(guest["runcmd"])


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("tier", WITH_METRICS)
def test_a_tier_is_set_up_before_its_exporters_and_without_them(tier: str, family: Family) -> None:
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
def test_an_exporter_listens_where_the_service_says_on_every_address(tier: str, path: str, port: int) -> None:
    unit = document(WITH_METRICS[tier](Family.DEBIAN))["write_files"][path]

    assert f"--web.listen-address=:{port}" in arguments(unit)


def test_the_application_counts_where_the_service_says() -> None:
    files = document(WITH_METRICS["application"](Family.DEBIAN))["write_files"]

    assert f'METRICS_PORT="{Application.endpoint.metrics_port}"\n' in files["/etc/virtwork/application.env"]


@pytest.mark.parametrize(("tier", "exporter"), [("database", Exporter.POSTGRESQL), ("web", Exporter.NGINX)])
@pytest.mark.parametrize("family", Family)
def test_an_exporter_that_a_distribution_lacks_is_left_out(tier: str, exporter: Exporter, family: Family) -> None:
    user_data = WITH_METRICS[tier](family)

    assert has_exporter(family, Exporter.NODE)
    assert (f"virtwork-{exporter}-exporter.service" in user_data) == has_exporter(family, exporter)
    assert ("pg_monitor" in user_data) == (tier == "database" and has_exporter(family, exporter))


@pytest.mark.parametrize(("tier", "path"), [("database", NODE), ("database", POSTGRESQL), ("web", NGINX)])
def test_an_exporter_is_hardened_by_systemds_own_measure(guest: GuestRoot, tier: str, path: str) -> None:
    guest.write_files(WITH_METRICS[tier](Family.DEBIAN))
    said = guest.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path)

    assert re.search(r"Overall exposure level for virtwork-\S+: 1\.", said), said


def test_the_golden_image_starts_no_exporter_by_itself(guest: GuestRoot) -> None:
    for program in FACTS[Family.DEBIAN].exporters.values():
        assert guest.run("systemctl", "is-enabled", program.package, check=False).strip() == "disabled"


def test_the_node_exporter_tells_of_processors_memory_and_disks(guest: GuestRoot, tmp_path: Path) -> None:
    guest.write_files(WITH_METRICS["web"](Family.DEBIAN))
    with guest.running(*arguments(guest.read(NODE)), log=tmp_path / "exporter"):
        metrics = guest.get_until(f"http://127.0.0.1:{NODE_METRICS_PORT}/metrics", 200).body

    assert value(metrics, "node_memory_MemAvailable_bytes") > 0
    for name in ("node_cpu_seconds_total{", "node_filesystem_avail_bytes{", "node_disk_io_time_seconds_total{"):
        assert f"\n{name}" in metrics


def test_the_nginx_exporter_counts_the_requests_of_the_web_tier(tiers: GuestRoot, tmp_path: Path) -> None:
    tiers.write(NGINX, document(WITH_METRICS["web"](Family.DEBIAN))["write_files"][NGINX])
    url = f"http://127.0.0.1:{Web.endpoint.metrics_port}/metrics"
    with tiers.running(*arguments(tiers.read(NGINX)), log=tmp_path / "exporter"):
        before = value(tiers.get_until(url, 200).body, "nginx_http_requests_total")
        for _ in range(5):
            assert tiers.get("http://127.0.0.1/api/v1/accounts/1").status == 200
        after = value(tiers.get(url).body, "nginx_http_requests_total")

    assert after - before == 5 + 1, "each scrape is a request too"


def test_the_postgresql_exporter_logs_in_as_its_user_without_a_password(tiers: GuestRoot, tmp_path: Path) -> None:
    files = document(WITH_METRICS["database"](Family.DEBIAN))["write_files"]
    former = tiers.read("/etc/virtwork/pg_hba.conf")
    for path in (
        POSTGRESQL,
        "/etc/virtwork/pg_hba.conf",
        "/etc/virtwork/role.sql",
        "/etc/sysusers.d/virtwork-metrics.conf",
    ):
        tiers.write(path, files[path])
    tiers.write("/opt/test/role-password", PASSWORD + "\n")  # the guest's own may be another test's
    role = f"{PSQL} --file /etc/virtwork/role.sql 3</opt/test/role-password"
    assert tiers.run("sh", "-euc", f"{role}; {role}; {PSQL} --command 'SELECT pg_reload_conf()' >/dev/null") == ""
    tiers.run("systemd-sysusers")
    (source,) = re.findall(r'^Environment="(DATA_SOURCE_NAME=.*)"$', files[POSTGRESQL], re.M)
    user = ("setpriv", "--reuid=virtwork-metrics", "--regid=virtwork-metrics", "--clear-groups")
    with tiers.running(*user, "env", source, *arguments(files[POSTGRESQL]), log=tmp_path / "exporter"):
        metrics = tiers.get_until(f"http://127.0.0.1:{Database.endpoint.metrics_port}/metrics", 200).body
    anybody = tiers.run(
        *("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
        *("psql", "--username", "virtwork-metrics", "--dbname", "postgres", "--command", "SELECT 1"),
        check=False,
    )
    tiers.write("/etc/virtwork/pg_hba.conf", former)

    assert value(metrics, "pg_up") == 1
    assert value(metrics, "pg_exporter_last_scrape_error") == 0
    assert re.search(r'^pg_stat_database_xact_commit\{.*datname="appdb".*\} [1-9]', metrics, re.M)
    assert "Peer authentication failed" in anybody
