"""How guests keep credentials: the database gives its role the password, the application gets files."""

from __future__ import annotations

import base64
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudinit.files.application import credentials as application
from cloudinit.files.application import kubernetes as application_kubernetes
from cloudinit.files.database import credentials as database
from cloudinit.files.database import kubernetes as database_kubernetes
from tests.unit.api_server import ApiServer, api_server

SECRET = ("secrets", "multi-tier-credentials")
CERTIFICATE = ("configmaps", "multi-tier-database-certificate")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    for module in (application_kubernetes, database_kubernetes):
        monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    (tmp_path / "api").mkdir()
    with api_server(tmp_path / "api") as server:
        yield server


@contextmanager
def following(follow: Callable[..., None], *arguments: object) -> Iterator[None]:
    stop = threading.Event()
    threading.Thread(target=follow, args=(*arguments, stop), daemon=True).start()
    yield
    stop.set()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestApplication:
    """The files that the application reads."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> tuple[application.Kept, ...]:
        return (
            application.Kept(tmp_path / "password", *SECRET, "password"),
            application.Kept(tmp_path / "certificate", *CERTIFICATE, "tls.crt"),
        )

    def test_files_follow_their_objects_and_each_change_is_told_once(
        self, api: ApiServer, files: tuple[application.Kept, ...]
    ) -> None:
        changes: list[str] = []
        keeper = application.Keeper(files, os.getgid(), lambda: changes.append(files[0].path.read_text()))
        api.objects |= {SECRET: {"password": "first"}, CERTIFICATE: {}}
        with following(keeper.keep, api.access):
            until(files[0].path.exists)
            assert not keeper.complete
            assert changes == []
            api.objects[CERTIFICATE] = {"tls.crt": "a certificate"}
            until(lambda: changes == ["first"])
            api.objects[SECRET] = {"password": "second"}
            until(lambda: changes == ["first", "second"])
        assert keeper.complete
        assert [kept.path.read_text() for kept in files] == ["second", "a certificate"]

    def test_only_root_and_the_group_can_read_a_file(self, api: ApiServer, files: tuple[application.Kept, ...]) -> None:
        api.objects[SECRET] = {"password": "first"}
        keeper = application.Keeper(files[:1], 4711, lambda: None)
        with following(keeper.keep, api.access):
            until(files[0].path.exists)
        found = files[0].path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 4711, 0o440)

    def test_what_is_there_already_changes_nothing(self, api: ApiServer, files: tuple[application.Kept, ...]) -> None:
        api.objects[SECRET] = {"password": "first"}
        files[0].path.write_text("first")
        changes: list[None] = []
        keeper = application.Keeper(files[:1], os.getgid(), lambda: changes.append(None))
        with following(keeper.keep, api.access):
            until(lambda: len(api.asked) == 2)
            time.sleep(0.02)
        assert changes == []

    def test_systemd_is_told_that_it_has_started(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        application.notify_ready()  # nobody waits for it
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(tmp_path / "notify"))
            monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
            application.notify_ready()
            assert systemd.recv(100) == b"READY=1"


class TestDatabase:
    """The role's password and the server's certificate."""

    def test_a_verifier_is_that_of_postgresql(self) -> None:
        # Password and salt of RFC 7677's example, in the form of PostgreSQL's pg_authid.
        salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
        assert database.verifier("pencil", salt, 4096) == (
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
            "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        )

    def test_the_password_is_in_no_argument_and_in_no_statement(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[str] = []

        def run(command: object, *, input: str, **_: object) -> subprocess.CompletedProcess[str]:  # noqa: A002
            calls.append(f"{command} {input}")
            return subprocess.CompletedProcess([], 0, "", "")

        monkeypatch.setattr(subprocess, "run", run)
        database.set_password("the-password")
        assert "ALTER ROLE appuser PASSWORD 'SCRAM-SHA-256$1:" in calls[0]
        assert "the-password" not in calls[0]

    def test_a_changed_password_is_set_after_clients_had_time_to_see_it(
        self, api: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events: list[object] = []
        monkeypatch.setattr(database, "set_password", events.append)
        monkeypatch.setattr(database, "time", type("Time", (), {"sleep": events.append}))
        role = database.Role(SECRET[1])
        api.objects[SECRET] = {"password": "first"}
        source = database_kubernetes.ApiObject(api.access, *SECRET)
        with following(database_kubernetes.follow, source, role.take, lambda _: None):
            until(lambda: events == ["first"])
            api.objects[SECRET] = {"password": "second"}
            until(lambda: events == ["first", database.GRACE_SECONDS, "second"])

    def test_what_the_server_refuses_is_tried_again(self, api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
        tried: list[str] = []

        def set_password(password: str) -> None:
            tried.append(password)
            if len(tried) < 3:
                raise database_kubernetes.SourceError("it is starting up")

        monkeypatch.setattr(database, "set_password", set_password)
        role = database.Role(SECRET[1])
        problems: list[str] = []
        source = database_kubernetes.ApiObject(api.access, *SECRET)
        with following(database_kubernetes.follow, source, role.take, problems.append):
            until(lambda: "secrets/multi-tier-credentials has no password yet" in problems)
            api.objects[SECRET] = {"password": "first"}
            until(lambda: tried == ["first"] * 3)
        assert problems[-2:] == ["it is starting up"] * 2

    def test_the_certificate_is_published_until_the_config_map_has_it(self, api: ApiServer, tmp_path: Path) -> None:
        path = tmp_path / "server.crt"
        path.write_text("a certificate")
        config_map = database_kubernetes.ApiObject(api.access, *CERTIFICATE)
        certificate = database.Certificate(path, config_map)
        with following(database_kubernetes.follow, config_map, certificate.take, lambda _: None):
            until(lambda: api.asked)
            api.objects[CERTIFICATE] = {}
            until(lambda: api.objects[CERTIFICATE] == {"tls.crt": "a certificate"})
            api.objects[CERTIFICATE] = {"tls.crt": "another"}
            until(lambda: api.objects[CERTIFICATE] == {"tls.crt": "a certificate"})
