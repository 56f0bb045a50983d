"""What the application does when the database's password or certificate changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.guest.guest_root import GuestRoot, Response
from tests.guest.running_tiers import CREDENTIALS, DATABASE_HOST, PASSWORD, set_password
from tests.guest.traced_tiers import guest_files, run_application
from tests.unit.cloudinit.guest_examples import application

PORT = 8282
OWN = "/opt/test/credentials"
OTHER = "another-password"
AGAIN = "read the database's credentials again"
SECONDS = 20


class Application:
    """An application with credentials of its own."""

    def __init__(self, guest: GuestRoot, log: Path) -> None:
        self.guest = guest
        self.log = log

    def give(self, name: str, content: str) -> None:
        """Change a credential as the guest does, and wait until both pools have it: signals don't queue."""
        before = self.log.read_text().count(AGAIN)
        self.guest.write(f"{OWN}/{name}", content)
        self.guest.run("sh", "-c", f"kill -HUP $(pgrep --full '[p]ython3.*--port {PORT}')")
        deadline = time.monotonic() + SECONDS
        while self.log.read_text().count(AGAIN) < before + 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def get(self) -> Response:
        return self.guest.get(f"http://127.0.0.1:{PORT}/api/v1/accounts/1")

    def reconnects(self) -> bool:
        """Return whether a request gets its response over a new connection."""
        answer = self.guest.get_until(f"http://127.0.0.1:{PORT}/api/v1/accounts/1", 200)
        return "connect;" in answer.headers["server-timing"]


@pytest.fixture
def own(tiers: GuestRoot, tmp_path: Path) -> Iterator[Application]:
    files = guest_files(application(database_host=DATABASE_HOST))
    settings = "/etc/virtwork/application.env"
    files[settings] = files[settings].replace(CREDENTIALS, OWN)
    for name in ("password", "certificate"):
        tiers.write(f"{OWN}/{name}", tiers.read(f"{CREDENTIALS}/{name}"))
    with ExitStack() as running:
        run_application(running, tiers, files, PORT, tmp_path / "log")
        tiers.get_until(f"http://127.0.0.1:{PORT}/ready", 200, seconds=60)
        try:
            yield Application(tiers, tmp_path / "log")
        finally:
            set_password(tiers, PASSWORD)
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert OTHER not in said


def test_every_connection_is_replaced_whichever_password_the_server_takes(own: Application) -> None:
    assert not own.reconnects()
    own.give("password", OTHER)
    assert own.reconnects(), "with the former one, which the server still takes"
    set_password(own.guest, OTHER)
    own.give("password", OTHER)
    assert own.reconnects(), "with the new one"


def test_a_password_that_the_server_never_had_is_a_503(own: Application) -> None:
    for password in (OTHER, f"{OTHER}-2"):
        own.give("password", password)
    answer = own.guest.get_until(f"http://127.0.0.1:{PORT}/api/v1/accounts/1", 503)
    assert answer.json == {"error": "database unavailable"}
    assert "InvalidPasswordError" in own.log.read_text()


def test_a_server_with_another_certificate_is_not_trusted(own: Application) -> None:
    right = own.guest.read(f"{OWN}/certificate")
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    make = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null {names}"
    own.give("certificate", own.guest.run("sh", "-c", f"{make} 2>/dev/null"))
    answer = own.guest.get_until(f"http://127.0.0.1:{PORT}/api/v1/accounts/1", 503)
    assert answer.json == {"error": "database unavailable"}
    assert "certificate verify failed" in own.log.read_text()
    own.give("certificate", right)
    assert own.reconnects()
