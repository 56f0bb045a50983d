"""The Prometheus exporters of the image, run with the files of the user data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cloudinit import Family
from cloudinit.constants import NODE_METRICS_PORT
from cloudinit.families import FACTS
from components.database import Database
from components.web import Web
from tests.guest.guest_root import GuestRoot
from tests.guest.running_tiers import AS_POSTGRES
from tests.unit.cloudinit.guest_examples import WITH_METRICS, document
from tests.unit.cloudinit.test_exporters import NGINX, NODE, POSTGRESQL, arguments

PSQL = f"{AS_POSTGRES} psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname postgres"


def value(metrics: str, sample: str) -> float:
    """Return the value of a sample in the Prometheus text format."""
    (found,) = re.findall(rf"^{re.escape(sample)} (\S+)$", metrics, re.M)
    return float(found)


@pytest.mark.parametrize(("tier", "path"), [("database", NODE), ("database", POSTGRESQL), ("web", NGINX)])
def test_systemd_rates_an_exporters_unit_as_hardened(guest: GuestRoot, tier: str, path: str) -> None:
    guest.write_files(WITH_METRICS[tier](Family.DEBIAN))
    said = guest.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path)

    assert re.search(r"Overall exposure level for virtwork-\S+: 1\.", said), said


def test_the_image_enables_no_exporter(guest: GuestRoot) -> None:
    for program in FACTS[Family.DEBIAN].exporters.values():
        assert guest.run("systemctl", "is-enabled", program.package, check=False).strip() == "disabled"


def test_the_node_exporter_has_processors_memory_and_disks(guest: GuestRoot, tmp_path: Path) -> None:
    guest.write_files(WITH_METRICS["web"](Family.DEBIAN))
    with guest.running(*arguments(guest.read(NODE)), log=tmp_path / "exporter"):
        metrics = guest.get_until(f"http://127.0.0.1:{NODE_METRICS_PORT}/metrics", 200).body

    assert value(metrics, "node_memory_MemAvailable_bytes") > 0
    for name in ("node_cpu_seconds_total{", "node_filesystem_avail_bytes{", "node_disk_io_time_seconds_total{"):
        assert f"\n{name}" in metrics


def test_the_nginx_exporter_counts_the_web_tiers_requests(tiers: GuestRoot, tmp_path: Path) -> None:
    tiers.write(NGINX, document(WITH_METRICS["web"](Family.DEBIAN))["write_files"][NGINX])
    url = f"http://127.0.0.1:{Web.endpoint.metrics_port}/metrics"
    with tiers.running(*arguments(tiers.read(NGINX)), log=tmp_path / "exporter"):
        before = value(tiers.get_until(url, 200).body, "nginx_http_requests_total")
        for _ in range(5):
            assert tiers.get("http://127.0.0.1/api/v1/accounts/1").status == 200
        after = value(tiers.get(url).body, "nginx_http_requests_total")

    assert after - before == 5 + 1, "a scrape is a request too"


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
    role = f"{PSQL} --file /etc/virtwork/role.sql"
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
