"""Stand-ins for what collects telemetry: they take everything and keep only counts, so that they cost little."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.host import network

_PORT = 4318
_START_SECONDS = 10.0
_SCRAPE_SECONDS = 5.0  # three times as often as Prometheus' operators mostly do
_METRICS_PORTS = {
    "database": (NODE_METRICS_PORT, DATABASE_METRICS_PORT),
    "application": (NODE_METRICS_PORT, APPLICATION_METRICS_PORT),
    "web": (NODE_METRICS_PORT, WEB_METRICS_PORT),
}


@dataclass(frozen=True, slots=True)
class Collector:
    """An OTLP/HTTP collector where the lab's guests reach it.

    Attributes:
        url: its base URL.
    """

    url: str

    @classmethod
    @contextmanager
    def listening(cls, lab: Lab) -> Iterator[Collector]:
        """Run a collector in the lab's network namespace.

        Raises:
            LabError: it doesn't listen.
        """
        command = [sys.executable, "-m", "bench.collector", str(lab.address), str(_PORT)]
        process = subprocess.Popen([*network.inside(lab), *command], cwd=PROJECT)
        collector = cls(f"http://{lab.address}:{_PORT}")
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not collector._answers():
                if time.monotonic() > deadline or process.poll() is not None:
                    raise LabError(f"The collector does not listen on {collector.url}: is the port taken?")
                time.sleep(0.1)
            yield collector
        finally:
            process.terminate()
            process.wait(10)

    @property
    def spans(self) -> int:
        """How many spans have come."""
        return int(httpx.get(self.url, timeout=5, trust_env=False).json()["spans"])

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return self.spans >= 0
        return False


@contextmanager
def scraping(guests: Guests) -> Iterator[None]:
    """Read every exporter of the guests every few seconds, as Prometheus does.

    Raises:
        LabError: an exporter did not answer.
    """
    ports = {name: _METRICS_PORTS[name.split("-")[-2]] for name in guests.names()}
    targets = [f"http://{guests.address(name)}:{port}/metrics" for name in ports for port in ports[name]]
    failures: list[str] = []
    ended = threading.Event()

    def scrape() -> None:
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not ended.wait(_SCRAPE_SECONDS):
                for target in targets:
                    try:
                        client.get(target).raise_for_status()
                    except httpx.HTTPError as error:
                        failures.append(f"{target}: {error}")

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failures:
        raise LabError(f"{len(failures)} scrapes failed, the first one of {failures[0]}")


class Counter(BaseHTTPRequestHandler):
    """Counts the spans that it is sent, and tells how many there were."""

    protocol_version = "HTTP/1.1"
    spans: ClassVar[int] = 0

    def do_POST(self) -> None:
        """Take spans."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        scopes = [scope for resource in body["resourceSpans"] for scope in resource["scopeSpans"]]
        Counter.spans += sum(len(scope["spans"]) for scope in scopes)
        self._answer({})

    def do_GET(self) -> None:
        """Tell how many."""
        self._answer({"spans": Counter.spans})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Counter).serve_forever()
