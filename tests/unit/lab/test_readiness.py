"""How the lab asks its components whether they are ready."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Network
from pathlib import Path
from threading import Thread

from lab.cluster import certificates
from lab.cluster.control_plane import answers
from lab.config import API_SERVER_PORT, Lab


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def api_server(lab: Lab) -> Iterator[None]:
    """Something that is ready, with the API server's certificate and address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.pki / "kube-apiserver.crt", lab.pki / "kube-apiserver.key")
    with HTTPServer((str(lab.address), API_SERVER_PORT), _Ready) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield
        server.shutdown()


def test_a_lab_made_anew_in_a_directory_is_trusted_by_its_new_authority(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab", IPv4Network("127.91.0.0/16"))
    for _ in range(2):
        shutil.rmtree(lab.root, ignore_errors=True)
        certificates.ensure(lab)
        with api_server(lab):
            assert answers(lab, f"{lab.api_server}/readyz")() is None
