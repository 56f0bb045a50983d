import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from lab.node import probes
from lab.node.health import Health
from lab.node.probes import Prober, UnsupportedProbeError, Verdict

HOST = "127.0.0.1"


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path names, and the request's own header."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(0.3)
            return
        code = int(self.path.strip("/")) if self.path.strip("/").isdigit() else 200
        self.send_response(code)
        self.send_header("Content-Type", self.headers.get("X-Type", "text/plain"))
        self.end_headers()
        self.wfile.write(f"said to {self.headers['User-Agent']}".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer((HOST, 0), Answers)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port: int = unused.getsockname()[1]
        return port


def http(port: int, path: str = "/", **rest: Any) -> dict[str, Any]:
    return {"httpGet": {"port": port, "path": path, **rest}}


def check(declared: dict[str, Any]) -> str | None:
    return probes.check(probes.read(declared, HOST))


@pytest.mark.parametrize("path", ["/", "/204", "/399"])
def test_an_http_probe_succeeds_from_200_to_399(port: int, path: str) -> None:
    assert check(http(port, path)) is None


def test_an_http_probe_fails_with_the_status_and_what_the_service_says(port: int) -> None:
    assert check(http(port, "/503")) == "HTTP probe failed with statuscode: 503 said to kube-probe/1.35"


def test_a_page_for_people_is_not_quoted(port: int) -> None:
    headers = [{"name": "X-Type", "value": "text/html"}]
    assert check(http(port, "/404", httpHeaders=headers)) == "HTTP probe failed with statuscode: 404"


def test_a_tcp_probe_succeeds_when_the_port_is_open(port: int, closed_port: int) -> None:
    assert check({"tcpSocket": {"port": port}}) is None
    assert "refused" in str(check({"tcpSocket": {"port": closed_port}}))


def test_a_probe_fails_when_it_takes_longer_than_its_timeout(port: int) -> None:
    probe = probes.Probe(http=True, host=HOST, port=port, path="/slow", headers={}, timeout=0.05)
    assert "timed out" in str(probes.check(probe))


def test_defaults_are_those_of_kubernetes() -> None:
    probe = probes.read({"tcpSocket": {"port": "5432"}}, "10.0.0.2")
    assert (probe.host, probe.port) == ("10.0.0.2", 5432)
    times = (probe.initial_delay, probe.period, probe.timeout, probe.success_threshold, probe.failure_threshold)
    assert times == (0, 10, 1, 1, 3)


@pytest.mark.parametrize("declared", [{"exec": {"command": ["true"]}}, {"guestAgentPing": {}}, {}, http("named")])  # type: ignore[arg-type]
def test_a_probe_that_a_lab_guest_cannot_answer_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedProbeError):
        probes.read(declared, HOST)


def test_the_state_changes_after_as_many_equal_results_as_the_threshold() -> None:
    probe = probes.Probe(http=False, host=HOST, port=1, headers={}, success_threshold=2, failure_threshold=3)
    verdict = Verdict(probe, initial=False)
    results = [True, False, True, True, False, False, True, False, False, False]
    states = []
    for result in results:
        verdict.observe(result)
        states.append(verdict.healthy)
    assert states == [False, False, False, True, True, True, True, True, True, False]


def prober(declared: dict[str, Any], seen: Queue[tuple[bool, str]], **timing: float) -> Prober:
    read = probes.read(declared, HOST)
    probe = probes.Probe(http=read.http, host=read.host, port=read.port, path=read.path, headers={}, **timing)  # type: ignore[arg-type]
    return Prober("test", probe, initial=False, started=time.time(), on_change=lambda *state: seen.put(state))


def test_a_prober_reports_success_at_once_and_only_once(port: int) -> None:
    seen: Queue[tuple[bool, str]] = Queue()
    running = prober(http(port), seen, period=0.02)
    running.start()
    assert seen.get(timeout=1) == (True, "")
    time.sleep(0.1)
    running.stop()
    assert seen.empty()


def test_a_prober_waits_for_its_initial_delay(port: int) -> None:
    seen: Queue[tuple[bool, str]] = Queue()
    start = time.monotonic()
    running = prober(http(port), seen, initial_delay=0.2)
    running.start()
    seen.get(timeout=1)
    running.stop()
    assert time.monotonic() - start >= 0.2


def test_a_prober_says_why_it_still_fails(closed_port: int) -> None:
    seen: Queue[tuple[bool, str]] = Queue()
    running = prober({"tcpSocket": {"port": closed_port}}, seen, period=0.02)
    running.start()
    healthy, why = seen.get(timeout=1)
    running.stop()
    assert not healthy
    assert "refused" in why


def vmi(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec}


def health(declared: dict[str, Any], *, was_ready: bool = False) -> Health:
    found = Health(declared, HOST, started=time.time(), was_ready=was_ready, on_change=lambda: None)
    found.stop()
    return found


def test_a_guest_without_a_readiness_probe_is_ready() -> None:
    assert health(vmi()).why_not_ready is None


def test_a_guest_whose_probe_cannot_be_run_is_never_ready_and_says_why() -> None:
    found = health(vmi(readinessProbe={"guestAgentPing": {}}))
    assert found.why_not_ready is not None
    assert "guestAgentPing" in found.unsupported[0]


def test_a_guest_that_another_agent_found_ready_stays_ready(closed_port: int) -> None:
    declared = vmi(readinessProbe={"tcpSocket": {"port": closed_port}, "initialDelaySeconds": 60})
    assert health(declared, was_ready=True).why_not_ready is None
    assert health(declared).why_not_ready is not None
