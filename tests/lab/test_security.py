"""The database's password: where it is, and how it changes under load; and the encryption of connections.

The tests are steps and run in order: each starts from the state that the one before it left.
"""

from __future__ import annotations

import base64
import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudinit.constants import APPLICATION_ACCOUNT, DATABASE_NAME, DATABASE_PORT, DATABASE_USER
from components.names import TierName
from kube.resources import CONFIG_MAPS, SECRETS, SERVICES
from tests.lab import secrets
from tests.lab.stack import NAME, Stack, wait_until

MACHINES = [f"{NAME}-{tier}-0" for tier in ("database", "application", "web")]
PASSWORD_FILE = "/var/lib/virtwork-credentials/password"
LOAD = ("--rps", "50", "--for", "20s", "--gate", "error_rate=0")


@pytest.fixture(scope="module")
def passwords(stack: Stack) -> list[str]:
    """The password, after the change also the former one."""
    return [stack.password()]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the run during which the password changes."""
    return tmp_path_factory.mktemp("results")


def uids(stack: Stack) -> dict[str, str]:
    return {machine: stack.instance_uid(machine) for machine in MACHINES}


def connect(stack: Stack, password: str, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
    address = stack.cluster.get(SERVICES, f"{NAME}-database", NAME)["spec"]["clusterIP"]
    where: dict[str, Any] = {"hostaddr": address, "port": DATABASE_PORT, "user": DATABASE_USER, "dbname": DATABASE_NAME}
    return psycopg.connect(**where, **options, password=password, connect_timeout=5)


def accepted(stack: Stack, password: str) -> bool:
    try:
        connect(stack, password).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            return False
        raise
    return True


def test_every_connection_of_the_application_is_encrypted(stack: Stack) -> None:
    query = "SELECT version, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = %s GROUP BY 1"
    with stack.database() as connection:
        found = connection.execute(query, (DATABASE_USER,)).fetchall()
    assert [version for version, _ in found] == ["TLSv1.3"]
    assert found[0][1] > 1, "the application has no connection"


def test_a_connection_without_encryption_is_refused(stack: Stack, passwords: list[str]) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        connect(stack, passwords[0], sslmode="disable")


def test_the_published_certificate_is_the_servers_for_its_service_names(
    stack: Stack, passwords: list[str], tmp_path: Path
) -> None:
    published = stack.cluster.get(CONFIG_MAPS, f"{NAME}-database-certificate", NAME)["data"]["tls.crt"]
    (tmp_path / "pinned").write_text(published)
    pinned = {"sslmode": "verify-full", "sslrootcert": str(tmp_path / "pinned")}
    connect(stack, passwords[0], host=f"{NAME}-database.{NAME}.svc.cluster.local", **pinned).close()
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        connect(stack, passwords[0], host="another", **pinned)


def test_a_new_password_fails_no_request_and_replaces_no_machine(
    stack: Stack, passwords: list[str], results: Path
) -> None:
    before = uids(stack)
    stack.configure("multi-tier:database.passwordVersion", 2)
    steps = {(step["op"], step["urn"].rpartition("::")[2]) for step in stack.preview()}
    assert {name for _, name in steps} == {"password", "credentials"}
    assert ("update", "credentials") in steps
    with ThreadPoolExecutor() as threads:
        running = threads.submit(stack.measure, "run", *LOAD, "--results", str(results))
        time.sleep(5)
        stack.up()
        new = stack.password()
        wait_until("the database takes the new password", lambda: accepted(stack, new), 30)
        run = running.result()
    assert run.returncode == 0, run.stdout + run.stderr
    (summary,) = results.glob("*/summary.json")
    delivery = json.loads(summary.read_text())["delivery"]
    assert (delivery["sent"], delivery["errors"]) == (1000, 0)
    assert uids(stack) == before
    assert new != passwords[0]
    assert not accepted(stack, passwords[0])
    passwords.append(new)


def test_the_application_has_reconnected_with_the_new_password(stack: Stack, passwords: list[str]) -> None:
    assert stack.guest_file(f"{NAME}-application-0", PASSWORD_FILE).read_text() == passwords[-1]
    with stack.database() as connection:
        others = "FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
        ended = connection.execute(f"SELECT count(pg_terminate_backend(pid)) {others}").fetchone()
    assert ended
    assert ended[0] > 1
    with stack.client() as client:
        wait_until("requests succeed again", lambda: client.get("/api/v1/accounts/1").status_code == 200, 5)


@pytest.fixture(scope="module")
def sentinels(stack: Stack, passwords: list[str]) -> list[str]:
    """The passwords and every token."""
    found = stack.cluster.list(SECRETS, NAME)[0]
    kind = "kubernetes.io/service-account-token"
    tokens = [base64.b64decode(one["data"]["token"]).decode() for one in found if one["type"] == kind]
    assert len(tokens) == len(TierName)
    return [*passwords, *tokens]


@pytest.fixture(scope="module")
def shown(stack: Stack) -> str:
    """What Pulumi shows and logs about the stack. From -v=9 on, its log has every value that passes through it."""
    preview = stack.pulumi("preview", "--diff")
    logged = stack.run("preview", "--stack", "lab", "--config-file", str(stack.configuration), "--logtostderr", "-v=7")
    exported = stack.run("stack", "export", "--stack", "lab").stdout
    return preview + logged.stdout + logged.stderr + exported


def test_pulumi_shows_no_secret(shown: str, sentinels: list[str]) -> None:
    assert "I1" in shown, "there is no log"
    assert [secret[:4] for secret in sentinels if secret in shown] == []


def test_no_process_has_a_secret_in_its_arguments_or_environment(sentinels: list[str]) -> None:
    assert secrets.processes(sentinels) == []


def test_no_file_of_this_machine_but_etcds_has_a_secret(stack: Stack, sentinels: list[str], results: Path) -> None:
    assert list(results.glob("*/summary.json")), "there is no result"
    found = secrets.holding(sentinels, [*secrets.host_places(stack.lab), results])
    assert found, "not even etcd has it: the search is broken"
    assert [path for path in found if not path.is_relative_to(stack.lab.root / "etcd")] == []
    assert [path for path in found if secrets.is_open(path, stack.lab.root)] == []


def test_the_password_is_in_one_file_of_the_application_and_in_no_other_guest(
    stack: Stack, passwords: list[str]
) -> None:
    for guest in secrets.guests(stack.lab):
        found = secrets.holding(passwords, guest.places)
        journal = guest.journal()
        assert journal
        assert not [password for password in passwords if password in journal], guest.name
        if "application" not in guest.name:
            assert found == [], guest.name
            continue
        assert {str(guest.within(path)) for path in found} == {PASSWORD_FILE}
        status = (guest.root / PASSWORD_FILE.lstrip("/")).stat()
        groups = (guest.root / "etc/group").read_text().splitlines()
        (group,) = (int(line.split(":")[2]) for line in groups if line.startswith(f"{APPLICATION_ACCOUNT}:"))
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, group, 0o440)


def test_only_root_of_a_guest_can_read_its_tokens(stack: Stack, sentinels: list[str]) -> None:
    for guest in secrets.guests(stack.lab):
        found = secrets.holding(sentinels, guest.places)
        assert found, guest.name
        for path in found:
            start = guest.root if path.is_relative_to(guest.root) else guest.layer
            assert not secrets.is_open(path, start), f"{guest.name}: {guest.within(path)}"
