"""Keeps the database's credentials and the cluster's the same: `python3 -m database.credentials`, as PostgreSQL's user.

The role gets the password in the stack's Secret, and a ConfigMap gets the server's certificate, for its clients.
For Python 3.9 and later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import subprocess
import threading
import time
from pathlib import Path

from .constants import DATABASE_USER
from .kubernetes import ApiObject, Contents, SourceError, follow

# By then, every client has seen a new password; until then, they connect with the former one.
GRACE_SECONDS = 5.0
# RFC 7677's 4,096 slow down guesses. Nobody guesses 32 random characters, and asyncpg, which computes in Python, would
# keep the application's event loop busy for 28 ms with each connection.
ITERATIONS = 1
PSQL = ("psql", "--no-psqlrc", "--quiet", "--dbname=postgres", "--set=ON_ERROR_STOP=1")
# No statement may be logged, not even a failing one.
SILENT = "SET log_statement = 'none'; SET log_min_error_statement = 'panic'; SET log_min_duration_statement = -1;"
CERTIFICATE = "tls.crt"

log = logging.getLogger(__name__)


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return what PostgreSQL stores of a password for SCRAM-SHA-256 (RFC 5803).

    Passwords are ASCII, which RFC 4013 leaves as it is.
    """

    def encoded(value: bytes) -> str:
        return base64.b64encode(value).decode("ascii")

    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{encoded(salt)}${encoded(stored)}:{encoded(server)}"


def set_password(password: str) -> None:
    """Give the role a password, which leaves this process only as its verifier.

    Raises:
        SourceError: The server doesn't do it, for example because it has not started yet.
    """
    statement = f"{SILENT} ALTER ROLE {DATABASE_USER} PASSWORD '{verifier(password, os.urandom(16))}';"
    done = subprocess.run(PSQL, input=statement, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SourceError(f"the role's password can't be set: {done.stderr.strip()}")


class Role:
    """The role's password."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._password = ""

    def take(self, contents: Contents) -> None:
        """Give the role the password in the Secret; a changed one after the time that clients need to see it."""
        password = contents.data.get("password", "")
        if not password:
            raise SourceError(f"secrets/{self._name} has no password yet")
        if password == self._password:
            return
        if self._password:
            time.sleep(GRACE_SECONDS)
        set_password(password)
        self._password = password
        log.info("%s has the password of secrets/%s", DATABASE_USER, self._name)


class Certificate:
    """The server's certificate, published in a ConfigMap."""

    def __init__(self, path: Path, config_map: ApiObject) -> None:
        self._path = path
        self._config_map = config_map

    def take(self, contents: Contents) -> None:
        """Publish the certificate unless the ConfigMap has it."""
        try:
            text = self._path.read_text(encoding="ascii")
        except OSError as error:
            raise SourceError(f"there is no certificate yet: {error}") from None
        if contents.data.get(CERTIFICATE) != text:
            self._config_map.patch({CERTIFICATE: text})
            log.info("published the server's certificate")


def main() -> None:
    """Follow what the environment names."""
    logging.basicConfig(format="multi-tier credentials: %(message)s", level=logging.INFO)
    access = Path(os.environ["CREDENTIALS_DIRECTORY"])
    stop = threading.Event()
    logged: set[str] = set()

    def lost(problem: str) -> None:
        if problem not in logged:
            log.warning("%s; trying again", problem)
        logged.add(problem)

    if path := os.environ.get("CERTIFICATE"):
        config_map = ApiObject(access, "configmaps", os.environ["CONFIG_MAP"])
        arguments = (config_map, Certificate(Path(path), config_map).take, lost, stop)
        threading.Thread(target=follow, args=arguments, daemon=True).start()
    secret = os.environ["SECRET"]
    follow(ApiObject(access, "secrets", secret), Role(secret).take, lost, stop)


if __name__ == "__main__":
    main()
