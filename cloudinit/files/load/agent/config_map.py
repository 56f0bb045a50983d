"""The ConfigMap with the load plans, read from the API server."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 10.0  # seconds


class SourceError(Exception):
    """The ConfigMap can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read.

    Attributes:
        data: The object's data.
        ages: Seconds since the keys of `data` were last set, all by the API server's clock; without those that it
            doesn't tell.
    """

    data: dict[str, str]
    ages: dict[str, float]


class ConfigMap:
    """A ConfigMap, read repeatedly over one connection to the API server.

    Args:
        url: The object's https URL.
        credentials: Directory with `token`, a bearer token, and `ca`, the server's certificate authority as PEM.
    """

    def __init__(self, url: str, credentials: Path) -> None:
        address = urlsplit(url)
        self._host, self._port, self._path = address.hostname or "", address.port, address.path
        self._credentials = credentials
        self._connection: http.client.HTTPSConnection | None = None

    def fetch(self) -> Contents:
        """Return the object's contents.

        Raises:
            SourceError: The API server is unreachable or refuses, or its response is no ConfigMap.
        """
        try:
            status, date, body = self._get()
            if status != http.HTTPStatus.OK:
                raise SourceError(f"the API server responded with {status}")
            found = json.loads(body)
            data = {key: str(value) for key, value in (found.get("data") or {}).items()}
            return Contents(data, _ages(found.get("metadata") or {}, date))
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"the API server is unreachable: {error or type(error).__name__}") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise SourceError(f"the API server's response is not a ConfigMap: {error}") from None

    def _get(self) -> tuple[int, str, bytes]:
        if self._connection:
            try:
                return self._request(self._connection)
            except (OSError, http.client.HTTPException):
                self._close()  # the server may just have closed an idle connection: retry on a new one
        self._connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=self._trust())
        try:
            return self._request(self._connection)
        except (OSError, http.client.HTTPException):
            self._close()
            raise

    def _request(self, connection: http.client.HTTPSConnection) -> tuple[int, str, bytes]:
        token = (self._credentials / "token").read_text(encoding="ascii").strip()
        connection.request("GET", self._path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.headers.get("Date", ""), response.read()

    def _trust(self) -> ssl.SSLContext:
        trust = ssl.create_default_context(cadata=(self._credentials / "ca").read_text(encoding="ascii"))
        # Python 3.13 requires extensions that many clusters' certificate authorities lack.
        trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return trust

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _ages(metadata: Mapping[str, Any], date: str) -> dict[str, float]:
    """Return the age of each key, from the managers of the object's fields and the response's Date header."""
    if not date:
        return {}
    now = parsedate_to_datetime(date)
    ages: dict[str, float] = {}
    for manager in metadata.get("managedFields") or ():
        if "time" in manager:
            age = max(0.0, (now - datetime.fromisoformat(manager["time"])).total_seconds())
            for field in (manager.get("fieldsV1") or {}).get("f:data") or ():
                key = field.removeprefix("f:")
                ages[key] = min(age, ages.get(key, age))
    return ages
