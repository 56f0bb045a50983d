"""A package mirror that can be away: a proxy on a guest's loopback for the mirrors that this machine reaches."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.unit.cloudinit.otlp_receiver import listening

PORT = 3128


class Mirror:
    """What the proxy does.

    Attributes:
        away: Whether it responds to everything with 503.
        refused: How often it has.
    """

    def __init__(self) -> None:
        self.away = False
        self.refused = 0


@contextlib.contextmanager
def mirror(network_namespace: Path) -> Iterator[Mirror]:
    """Run a proxy on port 3128 of the loopback of a network namespace."""
    state = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if state.away:
                state.refused += 1
                self.send_error(503)
                return
            url = urlsplit(self.path)
            assert url.hostname
            upstream = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=30)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "proxy-connection"}
            upstream.request("GET", url.path, headers=headers)
            response = upstream.getresponse()
            body = response.read()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            upstream.close()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = listening(network_namespace, PORT)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join()
