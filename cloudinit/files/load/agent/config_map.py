"""The ConfigMap with the load plans, read from the API server."""

import http.client
import json
import ssl
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT = 10.0  # seconds


class SourceError(Exception):
    """The ConfigMap can't be read; the message says why."""


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

    def fetch(self) -> dict[str, str]:
        """Return the object's data.

        Raises:
            SourceError: The API server is unreachable or refuses, or its response is no ConfigMap.
        """
        try:
            status, body = self._get()
            if status != http.HTTPStatus.OK:
                raise SourceError(f"the API server responded with {status}")
            return {key: str(value) for key, value in (json.loads(body).get("data") or {}).items()}
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"the API server is unreachable: {error or type(error).__name__}") from None
        except (AttributeError, ValueError) as error:
            raise SourceError(f"the API server's response is not a ConfigMap: {error}") from None

    def _get(self) -> tuple[int, bytes]:
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

    def _request(self, connection: http.client.HTTPSConnection) -> tuple[int, bytes]:
        token = (self._credentials / "token").read_text(encoding="ascii").strip()
        connection.request("GET", self._path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()

    def _trust(self) -> ssl.SSLContext:
        trust = ssl.create_default_context(cadata=(self._credentials / "ca").read_text(encoding="ascii"))
        # Python 3.13 requires extensions that many clusters' certificate authorities lack.
        trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return trust

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
