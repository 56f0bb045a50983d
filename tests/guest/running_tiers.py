"""All three tiers on one loopback interface: PostgreSQL, uvicorn and nginx from the image, with their guests' files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from cloudinit.constants import APPLICATION_PORT, DATABASE_NAME, DATABASE_USER, LIBRARY, OPEN_FILES
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import HOSTILE, application, database, web

APPLICATION = f"http://127.0.0.1:{APPLICATION_PORT}"
WEB = "http://127.0.0.1:80"
# One password with everything that could break on its way to PostgreSQL and back.
PASSWORD = "".join(HOSTILE[name] for name in ("quotes", "yaml", "jinja", "shell", "sql", "trailing newline"))
CREDENTIALS = "/var/lib/virtwork-credentials"
# In the certificate, so not an address.
DATABASE_HOST = "localhost"
DATA = "/var/lib/postgresql/test"
DATABASE_LOG = f"{DATA}/log"
SERVER = "setpriv --reuid postgres --regid postgres --init-groups env HOME=/tmp /usr/lib/postgresql/15/bin"
START_DATABASE = (
    f"{SERVER}/pg_ctl --pgdata {DATA} --wait --silent --log {DATABASE_LOG} "
    "--options '-c config_file=/etc/virtwork/postgresql.conf -c fsync=off' start"
)
STOP_DATABASE = f"{SERVER}/pg_ctl --pgdata {DATA} --wait --silent --mode fast stop"
AS_POSTGRES = "setpriv --reuid postgres --regid postgres --init-groups"


@contextlib.contextmanager
def running_tiers(guest: GuestRoot, logs: Path) -> Iterator[None]:
    """Run all three tiers with the files of their user data; fail if the application logs a traceback."""
    guest.write_files(database(scale=1, hosts=(DATABASE_HOST,)))
    guest.write_files(application(database_host=DATABASE_HOST))
    guest.write_files(web())
    nginx = guest.read("/etc/virtwork/nginx.conf")
    assert "flush=1s" in nginx
    guest.write("/etc/virtwork/nginx.conf", nginx.replace("flush=1s", "flush=10ms"))  # tests read the log at once
    _start_database(guest)
    learn_upstream(guest)
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", guest.read("/etc/systemd/system/virtwork-app.service"), re.M)
    guest.write(f"{CREDENTIALS}/password", PASSWORD)
    guest.write(f"{CREDENTIALS}/certificate", guest.read("/srv/database/tls/server.crt"))
    start = f"ulimit -n {OPEN_FILES}; set -a; . /etc/virtwork/application.env; exec {command}"
    with (
        guest.running("sh", "-c", start, log=logs / "application"),
        guest.running("nginx", "-c", "/etc/virtwork/nginx.conf", "-g", "daemon off;", log=logs / "nginx"),
    ):
        guest.get_until(f"{WEB}/api/v1/accounts/1", 200, seconds=60)  # on a busy machine
        yield
    log = (logs / "application").read_text(encoding="utf-8")
    assert "Traceback" not in log, log[log.find("Traceback") - 1000 :][:5000]


def _start_database(guest: GuestRoot) -> None:
    guest.run("install", "-d", "-o", "postgres", "-g", "postgres", DATA, "/run/postgresql", "/srv/database")
    made = guest.run("sh", "-c", "virtwork-database-certificate; virtwork-database-certificate")
    assert made == f"multi-tier database: made a key and a certificate for {DATABASE_HOST}\n"
    guest.run("sh", "-c", f"{SERVER}/initdb --pgdata {DATA} --locale C.UTF-8 --no-sync --auth-local peer >/dev/null")
    guest.run("sh", "-c", START_DATABASE)
    psql = f"{AS_POSTGRES} psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1"
    role = f"{psql} --dbname postgres --file /etc/virtwork/role.sql"
    assert guest.run("sh", "-euc", f"{role}; {role}") == "", "creating the role and the database is not idempotent"
    set_password(guest, PASSWORD)
    seeded = f"{psql} --dbname {DATABASE_NAME} --file /etc/virtwork/seeded-scale.sql"
    assert guest.run("sh", "-c", seeded).strip() == "0"
    guest.run(
        "sh",
        "-c",
        f"PGOPTIONS='-c role={DATABASE_USER}' {AS_POSTGRES} pgbench --initialize --quiet --scale 1 {DATABASE_NAME}",
    )
    assert guest.run("sh", "-c", seeded).strip() == "1"
    table = f"{psql} --dbname {DATABASE_NAME} --file /etc/virtwork/storage-table.sql"
    assert guest.run("sh", "-c", f"{table}; {table}") == ""


def set_password(guest: GuestRoot, password: str) -> None:
    """Give the role a password, as the guest does."""
    program = "import sys; from database.credentials import set_password; set_password(sys.stdin.read())"
    python = ["env", f"PYTHONPATH={LIBRARY}", "PYTHONDONTWRITEBYTECODE=1", "/usr/bin/python3", "-c", program]
    guest.run(*AS_POSTGRES.split(), *python, stdin=password)


def learn_upstream(guest: GuestRoot) -> None:
    """Run the real script for one round, with a reload that does nothing, so that the upstream is 127.0.0.1."""
    guest.run("install", "-D", "/etc/virtwork/upstream-unknown.conf", "/etc/nginx/virtwork/upstream.conf")
    guest.write("/opt/test/once/systemctl", "#!/bin/sh\n", 0o755)
    guest.write("/opt/test/once/sleep", "#!/bin/sh\nkill $PPID\n", 0o755)
    guest.write("/etc/virtwork/upstream.settings", f"APPLICATION_HOST=127.0.0.1\nAPPLICATION_PORT={APPLICATION_PORT}\n")
    said = guest.run("env", "PATH=/opt/test/once:/usr/bin", "/usr/local/sbin/virtwork-upstream", check=False)
    assert "127.0.0.1 is at 127.0.0.1" in said
