"""The load agent as a whole, with a fake API server, web tier and k6."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cloudinit import LoadPlan, Profile, render_load_plan
from cloudinit.files.load.agent import __main__ as program
from cloudinit.files.load.agent import controller, kubernetes
from cloudinit.files.load.agent.api import Server
from tests.unit.api_server import LOAD, ApiServer, api_server
from tests.unit.cloudinit.load_samples import line, rows
from tests.unit.cloudinit.otlp_receiver import receiving

STACK = LoadPlan(
    profile=Profile.CONSTANT,
    rps=20,
    peak=20,
    seconds=60,
    concurrency=20,
    accounts=100_000,
    mix={"random": 60, "hot": 20, "missing": 10, "slow": 0, "write": 10},
    seed=7,
)
SPIKE = replace(STACK, profile=Profile.SPIKE, rps=50, peak=400, seconds=1, run="spike")
# A k6 that runs the file `behaviour` beside it.
K6 = """#!/bin/sh
[ "$1" = version ] && { echo "k6 v9.8.7 (go1.99, linux/amd64)"; exit; }
. "${0%/*}/behaviour"
"""
ENDLESS = f"""trap 'exit 105' INT
echo started,1000.500000
echo {line(0)}
echo {line(1, kind="write", status=503, trace="ffffffff00000000")}
while :; do sleep 0.02; done
"""
DONE = f"echo started,2000.250000; echo {line(0)}; echo {line(1)}\n"


class WebTier(BaseHTTPRequestHandler):
    """Responds to every request with an empty body."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Running:
    """A running agent."""

    agent: program.Agent
    api: ApiServer
    url: str
    directory: Path
    stop: threading.Event

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path)

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/status").json()
        return found

    def behave(self, behaviour: str) -> None:
        (self.directory / "behaviour").write_text(behaviour)

    def give(self, stack: LoadPlan = STACK, run: LoadPlan | None = None) -> None:
        self.api.data = {"plan.json": render_load_plan(stack)}
        if run:
            self.api.data |= {"run.json": render_load_plan(run)}

    def until(self, condition: Callable[[dict[str, Any]], object], seconds: float = 5) -> dict[str, Any]:
        """Return the status once a condition holds."""
        return until(lambda: self.status, condition, seconds)


def until(
    status: Callable[[], dict[str, Any]], condition: Callable[[dict[str, Any]], object], seconds: float
) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        found = status()
        if condition(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


@contextmanager
def running(directory: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Iterator[Running]:
    """Run an agent with short intervals, whose k6 is a script."""
    monkeypatch.setattr(kubernetes, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(program, "RECONCILE_INTERVAL", 0.01)
    monkeypatch.setattr(controller, "FIRST_BACKOFF", 0.05)
    (directory / "k6").write_text(K6)
    (directory / "k6").chmod(0o755)
    (directory / "state").mkdir(exist_ok=True)
    with ExitStack() as stack:
        api = stack.enter_context(api_server(directory))
        web = ThreadingHTTPServer(("127.0.0.1", 0), WebTier)
        settings = {
            "TARGET": f"http://127.0.0.1:{web.server_port}",
            "CONFIG_MAP": LOAD[1],
            "CREDENTIALS_DIRECTORY": str(directory),
            "STATE_DIRECTORY": str(directory / "state"),
            "K6": str(directory / "k6"),
        }
        agent = program.Agent(program.read_settings(settings | environment))
        server = Server(agent.endpoints, 0)
        for each in (web, server):
            thread = threading.Thread(target=each.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(each.server_close)
            stack.callback(each.shutdown)
        stop = threading.Event()
        for work in (agent.follow, agent.control):
            thread = threading.Thread(target=work, args=(stop,))
            thread.start()
            stack.callback(thread.join)
        stack.callback(setattr, api, "stopping", True)
        stack.callback(stop.set)
        yield Running(agent, api, f"http://127.0.0.1:{server.server_port}", directory, stop)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with running(tmp_path, monkeypatch) as found:
        yield found


def has_run(status: dict[str, Any], state: str) -> bool:
    return bool(status["run"]) and status["run"]["state"] == state


def test_an_agent_without_a_plan_is_not_ready_and_reports_why(agent: Running) -> None:
    status = agent.until(lambda found: found["problem"])
    assert status["problem"] == "plan.json in the load ConfigMap is invalid: it is missing."
    assert (status["run"], status["last"]) == (None, None)
    answer = agent.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"error": "there is no load plan yet"})


def test_the_stacks_plan_runs_and_its_samples_are_served(agent: Running) -> None:
    agent.behave(ENDLESS)
    agent.give()
    status = agent.until(lambda found: has_run(found, "running") and found["samples"]["next"])
    assert agent.get("/ready").status_code == 200
    assert status["run"]["started"] == 1000.5
    assert status["versions"] == {"k6": "9.8.7"}
    assert abs(status["time"] - time.time()) < 5
    assert 0 < status["uptime"] < 60
    later = agent.until(lambda found: found["uptime"] >= status["uptime"] + 0.2)
    assert later["instance"] == status["instance"] != ""
    assert status["target"].startswith("http://127.0.0.1:")
    answer = agent.get("/samples?from=0")
    assert answer.headers["Content-Type"] == "text/csv"
    assert [row.status for row in rows(answer.text)] == [200, 503]
    assert agent.get(f"/samples?from={len(answer.content)}").content == b""
    assert status["samples"] == {"first": 0, "next": len(answer.content)}


def test_elapsed_time_does_not_follow_the_wall_clock(agent: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.behave(ENDLESS.replace("1000.500000", f"{time.time():.6f}"))
    agent.give()
    before = agent.until(lambda found: has_run(found, "running"))
    assert 0 <= before["elapsed"] < 2
    monkeypatch.setattr(time, "time", lambda: 0.0)
    after = agent.until(lambda found: found["time"] == 0.0 and found["elapsed"] > before["elapsed"])
    assert after["elapsed"] - before["elapsed"] == pytest.approx(after["uptime"] - before["uptime"], abs=0.05)
    agent.behave("exit 1\n")
    agent.give(replace(STACK, seed=8))
    assert agent.until(lambda found: has_run(found, "failed"))["elapsed"] is None


def test_a_restarted_agent_is_another_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instances = set()
    for _ in range(2):
        with running(tmp_path, monkeypatch) as agent:
            instances.add(agent.status["instance"])
    assert len(instances) == 2


def test_a_run_interrupts_the_stacks_plan_once(agent: Running) -> None:
    agent.behave(ENDLESS)
    agent.give()
    agent.until(lambda found: has_run(found, "running"))
    agent.behave(f'grep -q spike "$PLAN" || {{ {ENDLESS} }}\n{DONE}')
    agent.give(run=SPIKE)
    status = agent.until(lambda found: found["last"] and has_run(found, "running"))
    assert (status["last"]["id"], status["last"]["state"]) == ("spike", "finished")
    assert (status["last"]["started"], status["last"]["asked"]) == (2000.25, 120)
    samples = agent.get(f"/samples?from={status['last']['first']}").content
    assert len(rows(samples[: status["last"]["next"] - status["last"]["first"]].decode())) == 2
    assert status["run"]["id"] == ""


def test_a_failed_k6_is_reported_and_restarted(agent: Running) -> None:
    agent.behave("echo 'GoError: it is broken'; echo '  at requests.js:1'; exit 107\n")
    agent.give()
    status = agent.until(lambda found: has_run(found, "failed"))
    assert status["run"]["problem"] == "k6 exited with 107: GoError: it is broken"
    agent.behave(ENDLESS)
    assert agent.until(lambda found: has_run(found, "running"))["run"]["problem"] == ""


def test_a_stopped_agent_stops_k6(agent: Running) -> None:
    agent.behave(f'echo $$ >"${{0%/*}}/pid"\n{ENDLESS}')
    agent.give()
    agent.until(lambda found: has_run(found, "running"))
    pid = int((agent.directory / "pid").read_text())
    agent.stop.set()
    until(dict, lambda _: not psutil.pid_exists(pid), 5)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/samples", 400, "from must be a byte offset"),
        ("/samples?from=-1", 400, "from must be a byte offset"),
        ("/samples?from=1e3", 400, "from must be a byte offset"),
        ("/samples?from=" + "9" * 19, 400, "beyond it"),
        ("/samples?from=" + "9" * 5000, 400, "from must be a byte offset"),
        ("/metrics", 404, "metrics are off: set metrics.enabled"),
        ("/", 404, "the endpoints are /ready, /status"),
    ],
)
def test_an_invalid_request_is_rejected_with_a_message(agent: Running, path: str, status: int, words: str) -> None:
    answer = agent.get(path)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_samples_that_are_no_longer_kept_are_gone(agent: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.agent._samples, "_starts", [500])
    answer = agent.get("/samples?from=10")
    assert (answer.status_code, answer.json()["first"]) == (410, 500)


def test_the_api_is_read_only(agent: Running) -> None:
    assert httpx.post(agent.url + "/status").status_code == 405


def test_samples_become_metrics_and_spans_when_enabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudinit.files.load.agent.otlp.BATCH_SECONDS", 0.05)
    with (
        receiving() as collector,
        running(
            tmp_path, monkeypatch, METRICS="1", TRACING_ENDPOINT=collector.url, TRACING_SERVICE="multi-tier-load"
        ) as agent,
    ):
        agent.behave(ENDLESS)
        agent.give(replace(STACK, sampled=0.5))
        status = agent.until(lambda found: found["samples"]["next"])
        (span,) = collector.wait_for(1)
        text = agent.get("/metrics").text
    assert 'multi_tier_load_requests_total{good="1",kind="random",status="200"} 1.0' in text
    assert 'multi_tier_load_requests_total{good="0",kind="write",status="503"} 1.0' in text
    seconds = {"total": 0.011, "wait": 0.002, "generator": 0.001, "web": 0.003, "application": 0.003, "database": 0.002}
    for part, value in seconds.items():
        (found,) = [
            one for one in text.splitlines() if one.startswith(f'multi_tier_load_duration_seconds_sum{{part="{part}"}}')
        ]
        assert float(found.split()[-1]) == pytest.approx(2 * value), part
    # Only one of the two trace ids is low enough to be sampled.
    assert (span.service, span.name, span.kind) == ("multi-tier-load", "GET /api/v1/accounts/{aid}", 3)
    assert (span.trace_id, span.span_id) == (status["run"]["trace"] + "00000000ffffffff", "00000000ffffffff")
    assert span.parent_id == ""
    assert span.start / 1e9 == pytest.approx(1000.5 + 0.003, abs=1e-5)
    assert (span.end - span.start) / 1e6 == pytest.approx(8, abs=0.01)
    assert span.attributes["multi_tier.wait_ms"] == 2.0
    assert not span.error
