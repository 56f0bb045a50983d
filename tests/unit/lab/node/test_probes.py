import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from lab.node import probes
from lab.node.probes import Health, Probe, Prober, UnsupportedProbeError

HOST = "127.0.0.1"


class Answers(BaseHTTPRequestHandler):
    """Responds with the status in the path, and with the request's User-Agent."""

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


def http(port: int | str, path: str = "/", **rest: Any) -> dict[str, Any]:
    return {"httpGet": {"port": port, "path": path, **rest}}


def check(declared: dict[str, Any]) -> str | None:
    return probes.check(probes.read(declared, HOST))


@pytest.mark.parametrize("path", ["/", "/204", "/399"])
def test_an_http_probe_succeeds_from_200_to_399(port: int, path: str) -> None:
    assert check(http(port, path)) is None


def test_an_http_probe_fails_with_the_status_and_the_text_of_the_response(port: int) -> None:
    assert check(http(port, "/503")) == "HTTP probe failed with statuscode: 503 said to kube-probe/1.35"


def test_an_html_page_is_not_quoted(port: int) -> None:
    headers = [{"name": "X-Type", "value": "text/html"}]
    assert check(http(port, "/404", httpHeaders=headers)) == "HTTP probe failed with statuscode: 404"


def test_a_tcp_probe_succeeds_when_the_port_is_open(port: int, closed_port: int) -> None:
    assert check({"tcpSocket": {"port": port}}) is None
    assert "refused" in str(check({"tcpSocket": {"port": closed_port}}))


def test_a_probe_fails_after_its_timeout(port: int) -> None:
    probe = Probe(http=True, host=HOST, port=port, path="/slow", headers={}, timeout=0.05)
    assert "timed out" in str(probes.check(probe))


def test_defaults_are_those_of_kubernetes() -> None:
    probe = probes.read({"tcpSocket": {"port": "5432"}}, "10.0.0.2")
    assert (probe.host, probe.port) == ("10.0.0.2", 5432)
    times = (probe.initial_delay, probe.period, probe.timeout, probe.success_threshold, probe.failure_threshold)
    assert times == (0, 10, 1, 1, 3)


@pytest.mark.parametrize("declared", [{"exec": {"command": ["true"]}}, {"guestAgentPing": {}}, {}, http("named")])
def test_a_probe_that_a_lab_guest_cannot_answer_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedProbeError):
        probes.read(declared, HOST)


def prober(seen: Queue[str | None], *, started: float = 0, **fields: Any) -> Prober:
    probe = Probe(**{"http": False, "host": HOST, "port": 1, "headers": {}, "period": 0.02, **fields})
    return Prober(probe, failure="not yet", started=started, on_change=seen.put)


def test_the_state_changes_after_as_many_equal_results_as_the_threshold() -> None:
    tested = prober(Queue(), success_threshold=2, failure_threshold=3)
    states = []
    for success in [True, False, True, True, False, False, True, False, False, False]:
        tested.observe(None if success else "failed")
        states.append(tested.failure is None)
    assert states == [False, False, False, True, True, True, True, True, True, False]


def test_a_success_is_reported_after_the_initial_delay_and_only_once(port: int) -> None:
    seen: Queue[str | None] = Queue()
    start = time.time()
    running = prober(seen, http=True, port=port, started=start, initial_delay=0.2)
    running.start()
    assert seen.get(timeout=1) is None
    assert time.time() - start >= 0.2
    time.sleep(0.1)
    running.stop()
    assert seen.empty()


def test_each_new_reason_of_a_failing_probe_is_reported() -> None:
    seen: Queue[str | None] = Queue()
    tested = prober(seen)
    for failure in ("refused", "refused", "timed out"):
        tested.observe(failure)
    assert list(seen.queue) == ["refused", "timed out"]


def health(*, was_ready: bool = False, **spec: Any) -> Health:
    vmi = {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec}
    found = Health(vmi, HOST, started=time.time(), was_ready=was_ready, on_change=lambda: None)
    found.stop()
    return found


def test_a_guest_without_probes_is_ready_and_alive() -> None:
    assert (health().why_not_ready, health().why_not_alive) == (None, None)


def test_a_guest_with_an_unsupported_readiness_probe_is_never_ready() -> None:
    found = health(readinessProbe={"guestAgentPing": {}})
    assert found.why_not_ready is not None
    assert "guestAgentPing" in found.unsupported[0]


def test_a_guest_that_an_earlier_agent_found_ready_stays_ready(closed_port: int) -> None:
    probe = {"tcpSocket": {"port": closed_port}, "initialDelaySeconds": 60}
    assert health(readinessProbe=probe, was_ready=True).why_not_ready is None
    assert health(readinessProbe=probe).why_not_ready is not None
