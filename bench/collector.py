"""Minimal collectors of telemetry. They accept everything and only count, so that they use little processor time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx

from bench.guests import Guests
from cloudinit.constants import (
    APPLICATION_METRICS_PORT,
    DATABASE_METRICS_PORT,
    NODE_METRICS_PORT,
    WEB_METRICS_PORT,
)
from lab.background import repeating
from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.host import network

_PORT = 4318
_SCRAPE_SECONDS = 5.0  # a third of Prometheus' usual interval
_METRICS_PORTS = {
    "database": (NODE_METRICS_PORT, DATABASE_METRICS_PORT),
    "application": (NODE_METRICS_PORT, APPLICATION_METRICS_PORT),
    "web": (NODE_METRICS_PORT, WEB_METRICS_PORT),
}


@dataclass(frozen=True, slots=True)
class Collector:
    """An OTLP/HTTP collector that the lab's guests can reach.

    Attributes:
        url: Base URL.
    """

    url: str

    @classmethod
    @contextmanager
    def listening(cls, lab: Lab) -> Iterator[Collector]:
        """Run a collector in the lab's network namespace.

        Raises:
            LabError: It could not listen.
        """
        command = [*network.inside(lab), sys.executable, "-m", "bench.collector", str(lab.address), str(_PORT)]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as process:
            try:
                if not (process.stdout and process.stdout.readline()):
                    raise LabError(f"The collector can't listen on {lab.address}:{_PORT}. Is the port in use?")
                yield cls(f"http://{lab.address}:{_PORT}")
            finally:
                process.terminate()

    @property
    def spans(self) -> int:
        """The number of received spans."""
        return int(httpx.get(self.url, timeout=5, trust_env=False).json()["spans"])


def scraping(guests: Guests) -> AbstractContextManager[None]:
    """Scrape every exporter of the guests periodically while the body runs, as Prometheus does.

    Raises:
        LabError: An exporter did not respond.
    """
    ports = {name: _METRICS_PORTS[name.split("-")[-2]] for name in guests.names()}
    targets = [f"http://{guests.address(name)}:{port}/metrics" for name in ports for port in ports[name]]

    def scrape() -> None:
        for target in targets:
            try:
                httpx.get(target, timeout=5, trust_env=False).raise_for_status()
            except httpx.HTTPError as error:
                raise LabError(f"Scraping {target} failed: {error}") from None

    return repeating(scrape, _SCRAPE_SECONDS)


class Counter(BaseHTTPRequestHandler):
    """Counts the spans in POST requests and responds to GET requests with their number."""

    protocol_version = "HTTP/1.1"
    spans: ClassVar[int] = 0

    def do_POST(self) -> None:
        """Count spans."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        scopes = [scope for resource in body["resourceSpans"] for scope in resource["scopeSpans"]]
        Counter.spans += sum(len(scope["spans"]) for scope in scopes)
        self._respond({})

    def do_GET(self) -> None:
        """Respond with the number of spans."""
        self._respond({"spans": Counter.spans})

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _respond(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    with ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Counter) as server:
        sys.stdout.write(f"listening on port {server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
