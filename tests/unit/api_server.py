"""An API server for tests: answers for one ConfigMap, by HTTPS, to a client with the token."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.cloudinit.otlp_receiver import listening

TOKEN = "the-token"
PATH = "/api/v1/namespaces/multi-tier/configmaps/multi-tier-load"


@dataclass
class ApiServer:
    """What it answers, and what it was asked."""

    url: str
    credentials: Path
    """Directory with `token` and `ca`."""
    data: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    """In place of the ConfigMap."""
    date: str | None = None
    """The Date header; None: the server's clock."""
    connections: int = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, authorization: str | None) -> tuple[int, str]:
        self.asked.append(path)
        if authorization != f"Bearer {TOKEN}":
            return 401, "{}"
        return 200, self.body if self.body is not None else json.dumps({"kind": "ConfigMap", "data": self.data})


@contextmanager
def api_server(directory: Path, namespace: Path | None = None) -> Iterator[ApiServer]:
    """Run one on loopback, with credentials in a directory; in another network namespace, where one is given."""
    key, authority = certificate(directory)
    (directory / "token").write_text(f"{TOKEN}\n", encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    with listening(namespace) as listener:
        host, port = listener.getsockname()
        api = ApiServer(f"https://{host}:{port}{PATH}", directory)
        server = ThreadingHTTPServer((host, port), _handler(api), bind_and_activate=False)
        server.socket.close()
        server.socket = context.wrap_socket(listener, server_side=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            server.socket.close()
            thread.join()


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        timeout = 5

        def setup(self) -> None:
            api.connections += 1
            super().setup()

        def do_GET(self) -> None:
            status, body = api.answer(self.path, self.headers["Authorization"])
            self.send_response_only(status)
            self.send_header("Date", api.date or self.date_time_string())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def certificate(directory: Path) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that is its own authority, as files `key` and `ca`."""
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
    (directory / "ca").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return directory / "key", directory / "ca"
