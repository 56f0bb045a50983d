"""Objects of the Kubernetes API that a guest follows while it runs: ConfigMaps and Secrets of its stack's namespace.

For Python 3.9 and later: database guests run it too, with the Python of older distributions.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 5.0  # seconds
WATCH_SECONDS = 240  # after which the API server ends a watch, and everything is read again
FIRST_PAUSE = 0.5  # seconds before the next try after a failure; doubles with each failure
LONGEST_PAUSE = 8.0
# A connection whose other end is gone without a word is given up after about 15 seconds.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 2))


class SourceError(Exception):
    """The object can't be read or changed; the message says why."""


@dataclass(frozen=True)
class Contents:
    """What an object contains; nothing if it doesn't exist.

    Attributes:
        data: The object's data, in clear text.
        ages: Seconds since the keys of `data` were last set, all by the API server's clock; without those that it
            doesn't tell.
    """

    data: dict[str, str]
    ages: dict[str, float]


class ApiObject:
    """A ConfigMap or a Secret.

    Args:
        access: Directory with `url`, the https URL of a namespace, `token`, a bearer token, and `ca.crt`, the server's
            certificate authority as PEM.
        resource: `configmaps` or `secrets`.
        name: The object's name.
    """

    def __init__(self, access: Path, resource: str, name: str) -> None:
        self._access = access
        self._resource = resource
        self._name = name

    def watch(self) -> Iterator[Contents]:
        """Yield the contents now and after each change, until the API server ends the watch.

        Raises:
            SourceError: The API server is unreachable or refuses, or its response is no list of objects.
        """
        with self._connected() as connection:
            found, date = self._list(connection)
            listed = time.monotonic()
            for item in found.get("items") or [{}]:
                yield self._contents(item, date)
            self._ask(connection, f"&watch=1&timeoutSeconds={WATCH_SECONDS}&resourceVersion={_version(found)}")
            if connection.sock:
                connection.sock.settimeout(WATCH_SECONDS + TIMEOUT)
            response = _accepted(connection.getresponse())
            for line in iter(response.readline, b""):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return  # such as a version that the API server no longer knows
                item = {} if event["type"] == "DELETED" else event["object"]
                yield self._contents(item, date + (time.monotonic() - listed))

    def patch(self, data: Mapping[str, str]) -> None:
        """Set some of the object's data.

        Raises:
            SourceError: The API server is unreachable or refuses.
        """
        with self._connected() as connection:
            body = json.dumps({"data": dict(data)})
            headers = {**self._headers(), "Content-Type": "application/merge-patch+json"}
            connection.request("PATCH", f"{self._path()}/{self._name}", body, headers)
            _accepted(connection.getresponse()).read()

    def _list(self, connection: http.client.HTTPSConnection) -> tuple[dict[str, Any], float]:
        """Return the list with the object, if it exists, and the API server's time; 0 if it doesn't tell."""
        self._ask(connection)
        response = _accepted(connection.getresponse())
        found = json.loads(response.read())
        date = response.headers.get("Date", "")
        return found, parsedate_to_datetime(date).timestamp() if date else 0.0

    def _ask(self, connection: http.client.HTTPSConnection, more: str = "") -> None:
        # Rights on an object with a name include its list and watch only with this selector.
        path = f"{self._path()}?fieldSelector=metadata.name%3D{self._name}{more}"
        connection.request("GET", path, headers=self._headers())

    def _contents(self, item: Mapping[str, Any], now: float) -> Contents:
        data = {key: str(value) for key, value in (item.get("data") or {}).items()}
        if self._resource == "secrets":
            data = {key: b64decode(value).decode() for key, value in data.items()}
        return Contents(data, _ages(item.get("metadata") or {}, now))

    def _path(self) -> str:
        return f"{urlsplit(self._read('url')).path}/{self._resource}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._read('token')}"}

    def _read(self, name: str) -> str:
        return (self._access / name).read_text(encoding="ascii").strip()

    def _connected(self) -> _Connection:
        try:
            address = urlsplit(self._read("url"))
            trust = ssl.create_default_context(cadata=self._read("ca.crt"))
        except (OSError, ValueError) as error:
            raise SourceError(f"the guest's access to the API server is unreadable: {error}") from None
        # Python 3.13 requires extensions that many clusters' certificate authorities lack.
        trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return _Connection(address.hostname or "", address.port, trust)


class _Connection:
    """A connection to the API server, whose failures are SourceErrors."""

    def __init__(self, host: str, port: int | None, trust: ssl.SSLContext) -> None:
        self._connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=trust)

    def __enter__(self) -> http.client.HTTPSConnection:
        try:
            self._connection.connect()
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, option, value)
        except OSError as error:
            raise _unreachable(error) from None
        return self._connection

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._connection.close()
        if isinstance(error, (OSError, http.client.HTTPException)):
            raise _unreachable(error) from None
        if isinstance(error, (AttributeError, KeyError, TypeError, ValueError)):
            raise SourceError(f"the API server's response is not a list of objects: {error}") from None


def follow(
    source: ApiObject, take: Callable[[Contents], None], lost: Callable[[str], None], stop: threading.Event
) -> None:
    """Follow an object until `stop` is set, and retry what fails after longer and longer pauses.

    Args:
        source: The object.
        take: Called with its contents, now and after each change. May raise SourceError, to be called again.
        lost: Called with the reason when the object can't be read.
        stop: Ends it, but not while it waits for the API server.
    """
    pause = FIRST_PAUSE
    while not stop.is_set():
        try:
            for contents in source.watch():
                take(contents)
                pause = FIRST_PAUSE
                if stop.is_set():
                    return
        except SourceError as error:
            lost(str(error))
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            stop.wait(FIRST_PAUSE)


def _accepted(response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    if response.status != http.HTTPStatus.OK:
        raise SourceError(f"the API server responded with {response.status}")
    return response


def _unreachable(error: Exception) -> SourceError:
    return SourceError(f"the API server is unreachable: {error or type(error).__name__}")


def _version(found: Mapping[str, Any]) -> str:
    return str(found["metadata"]["resourceVersion"])


def _ages(metadata: Mapping[str, Any], now: float) -> dict[str, float]:
    """Return the age of each key, from the managers of the object's fields."""
    if not now:
        return {}
    ages: dict[str, float] = {}
    for manager in metadata.get("managedFields") or ():
        if "time" in manager:
            set_at = datetime.strptime(manager["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)  # noqa: UP017
            age = max(0.0, now - set_at.timestamp())
            for field in (manager.get("fieldsV1") or {}).get("f:data") or ():
                key = field[2:]  # after "f:"
                ages[key] = min(age, ages.get(key, age))
    return ages
