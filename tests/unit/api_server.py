"""An API server for tests: lists, watches and patches named objects by HTTPS, for a client with the token."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.cloudinit.otlp_receiver import listening

TOKEN = "the-token"
NAMESPACE = "/api/v1/namespaces/multi-tier"
LOAD = ("configmaps", "multi-tier-load")
POLL = 0.005  # seconds


@dataclass
class ApiServer:
    """What it answers, and what it was asked.

    Attributes:
        access: Directory with `url`, `token` and `ca.crt`.
        objects: The data of each object that exists, by resource and name.
        metadata: Metadata of every object.
        body: Response to a list, in place of the objects.
        event: Event that ends a watch.
        date: The Date header; None: the server's clock.
        watch_seconds: How long a watch lasts.
        asked: Method and path of each request.
    """

    access: Path
    objects: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    body: str | None = None
    event: str | None = None
    date: str | None = None
    watch_seconds: float = 60.0
    connections: int = 0
    asked: list[str] = field(default_factory=list)
    stopping: bool = False

    @property
    def data(self) -> dict[str, str]:
        """The data of the load generator's ConfigMap."""
        return self.objects[LOAD]

    @data.setter
    def data(self, data: dict[str, str]) -> None:
        self.objects[LOAD] = data

    def found(self, resource: str, name: str) -> dict[str, Any] | None:
        data = self.objects.get((resource, name))
        if data is None:
            return None
        if resource == "secrets":
            data = {key: b64encode(value.encode()).decode() for key, value in data.items()}
        return {"metadata": self.metadata, "data": dict(data)}

    def events(self, resource: str, name: str, known: dict[str, Any] | None) -> Iterator[str]:
        """Yield what happens to an object, until the watch ends."""
        end = time.monotonic() + self.watch_seconds
        while time.monotonic() < end and not self.stopping:
            if self.event:
                yield self.event
                return
            found = self.found(resource, name)
            if found != known:
                kind = "MODIFIED" if found else "DELETED"
                yield json.dumps({"type": kind, "object": found or known}) + "\n"
                known = found
            time.sleep(POLL)


@contextmanager
def api_server(directory: Path, namespace: Path | None = None) -> Iterator[ApiServer]:
    """Run one on loopback, with its access in a directory; in another network namespace, where one is given."""
    key, authority = certificate(directory)
    (directory / "token").write_text(f"{TOKEN}\n", encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    with listening(namespace) as listener:
        host, port = listener.getsockname()
        (directory / "url").write_text(f"https://{host}:{port}{NAMESPACE}", encoding="ascii")
        api = ApiServer(directory)
        server = ThreadingHTTPServer((host, port), type("Handler", (_Handler,), {"api": api}), bind_and_activate=False)
        server.socket.close()
        server.socket = context.wrap_socket(listener, server_side=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            api.stopping = True
            server.shutdown()
            server.socket.close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    api: ClassVar[ApiServer]
    protocol_version = "HTTP/1.1"
    timeout = 5
    listed: dict[str, Any] | None = None

    def setup(self) -> None:
        self.api.connections += 1
        super().setup()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        resource = address.path.removeprefix(f"{NAMESPACE}/")
        name = query["fieldSelector"].removeprefix("metadata.name=")
        if not self._allowed():
            self._respond(401, "{}")
        elif "watch" in query:
            self._stream(self.api.events(resource, name, self.listed))
        else:
            self.listed = self.api.found(resource, name)
            items = [self.listed] if self.listed else []
            found = {"kind": "List", "metadata": {"resourceVersion": "7"}, "items": items}
            self._respond(200, self.api.body if self.api.body is not None else json.dumps(found))

    def do_PATCH(self) -> None:
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
        resource, name = self.path.removeprefix(f"{NAMESPACE}/").split("/")
        if not self._allowed():
            self._respond(401, "{}")
        elif (resource, name) not in self.api.objects:
            self._respond(404, "{}")
        else:
            self.api.objects[resource, name] = {**self.api.objects[resource, name], **change}
            self._respond(200, "{}")

    def _allowed(self) -> bool:
        self.api.asked.append(f"{self.command} {self.path}")
        return self.headers["Authorization"] == f"Bearer {TOKEN}"

    def _respond(self, status: int, body: str) -> None:
        self.send_response_only(status)
        self.send_header("Date", self.api.date or self.date_time_string())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _stream(self, events: Iterator[str]) -> None:
        self.send_response_only(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            self.wfile.write(f"{len(event):x}\r\n{event}\r\n".encode())
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


def certificate(directory: Path) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that is its own authority, as files `key` and `ca.crt`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "key").write_bytes(text)
    (directory / "ca.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return directory / "key", directory / "ca.crt"
