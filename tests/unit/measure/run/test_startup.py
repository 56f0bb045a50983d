"""`python -m measure startup` against an API server whose machines start while it watches."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema
import pytest

from kube.resources import PODS, SIMULATED, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from lab.config import PROJECT
from measure.startup_summary import schema
from tests.unit.measure.conftest import Ended, Program
from tests.unit.measure.fake_api_server import (
    CLOSED,
    REFUSED,
    ApiServer,
    instance,
    launcher,
    machine,
    serving,
    wait_until,
)
from tests.unit.measure.prometheus_server import PrometheusServer

SCHEMA = PROJECT / "docs" / "startup.schema.json"
TIERS = ("database", "application", "web")
STEP = 0.05
MeasureStartup = Callable[..., Ended]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def measure_startup(measure: Program, server: ApiServer, results: Path, tmp_path: Path) -> MeasureStartup:
    """`python -m measure startup` on the server."""
    where = ["--kubeconfig", server.kubeconfig(tmp_path), "--results", results]
    return lambda *arguments: measure("startup", *where, *arguments)


def start(server: ApiServer, names: Sequence[str], step: float = STEP) -> None:
    """Start machines one after the other, as `pulumi up` does; each takes five steps."""
    serving_ones: set[str] = set()
    server.answers = lambda name, tier: (
        REFUSED if name not in serving_ones else CLOSED if tier == "database" else (200, "ok")
    )
    for name in names:
        server.put(VIRTUAL_MACHINES, machine(name))
        server.put(VIRTUAL_MACHINE_INSTANCES, instance(name))
        time.sleep(step)
        server.put(PODS, launcher(name, "node"))
        time.sleep(step)
        server.put(VIRTUAL_MACHINE_INSTANCES, instance(name, "Running"))
        time.sleep(step)
        serving_ones.add(name)
        time.sleep(step)
        server.put(VIRTUAL_MACHINES, machine(name, ready=True))
        time.sleep(step)


def names(tiers: Sequence[str] = TIERS) -> list[str]:
    return [f"multi-tier-{tier}-0" for tier in tiers]


def meanwhile(server: ApiServer, action: Callable[[], None]) -> None:
    """Do something once the program watches."""

    def wait() -> None:
        wait_until(lambda: server.watches >= 3)
        action()

    Thread(target=wait, daemon=True).start()


def document(results: Path) -> Any:
    (path,) = results.glob("*/startup.json")
    return json.loads(path.read_text())


def starter(server: ApiServer, code: int = 0) -> list[str]:
    """Return a command that has the server start machines, and returns when they have."""
    script = f"import sys, urllib.request; urllib.request.urlopen('{server.url}/start'); sys.exit({code})"
    return ["--", sys.executable, "-c", script]


def test_every_phase_of_a_stack_that_something_else_creates_is_measured(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    meanwhile(server, lambda: start(server, names()))
    ended = measure_startup("--machines", 3, "--gate", "ready.p95=30s", "--gate", "web.serving.max=30s")
    assert ended.code == 0, ended.out + ended.err
    assert "PASSED: all 2 gates passed." in ended.out
    found = document(results)
    jsonschema.Draft202012Validator(json.loads(schema())).validate(found)
    assert found["expected"] == 3
    assert found["machines"][0]["created"] == 0.0, "without a command, the first machine is the start"
    figures = [found["phases"][phase] for phase in ("scheduled", "running", "serving", "ready")]
    assert [(one["count"], one["unreached"]) for one in figures] == [(3, 0)] * 4
    scheduled, running, served, ready = (one["p50"] for one in figures)
    assert 0 < scheduled < running < served
    assert running + STEP < ready < 2, "two steps later"
    assert list(found["tiers"]) == list(TIERS)
    assert found["tiers"]["web"]["created"]["max"] > 7 * STEP, "it was the third, after ten steps"
    assert found["first_answer"] == pytest.approx(found["machines"][2]["serving"])
    assert found["first_answer"] > 10 * STEP
    (plot,) = results.glob("*/startup.svg")
    assert all(f">{text}</text>" in plot.read_text() for text in ("machines", "serving", "time since the start (s)"))


def test_a_command_is_measured_from_its_start_and_its_machines_are_expected(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    def delayed() -> None:
        time.sleep(0.2)
        start(server, names(["web"]))

    server.on_start = delayed
    ended = measure_startup(*starter(server))
    assert ended.code == 0, ended.out + ended.err
    found = document(results)
    assert found["expected"] == 1
    assert found["machines"][0]["created"] >= 0.2
    assert found["command"][0] == sys.executable


def test_a_time_out_is_a_failure_and_what_did_not_start_is_slower_than_any_limit(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    def stuck() -> None:
        start(server, names(["database"]), 0.01)
        server.put(VIRTUAL_MACHINES, machine("multi-tier-web-0"))

    meanwhile(server, stuck)
    gates = ["--gate", "ready.p50=1m", "--gate", "ready.p95=1m", "--gate", "first_answer=1m"]
    ended = measure_startup("--machines", 3, "--timeout", "10s", *gates)
    assert ended.code == 4
    assert "TIMED OUT: Timed out after 1 s: not scheduled: multi-tier-web-0; 1 of 3 machines were " in ended.out
    found = document(results)
    ready = found["phases"]["ready"]
    assert (ready["count"], ready["unreached"], ready["p50"], ready["max"]) == (3, 2, None, None)
    assert [(one["gate"], one["measured"], one["passed"]) for one in found["verdict"]["gates"]] == [
        ("ready.p50", None, False),
        ("ready.p95", None, False),
        ("first_answer", None, False),
    ]


def test_a_failed_gate_is_exit_code_1_and_named(server: ApiServer, measure_startup: MeasureStartup) -> None:
    meanwhile(server, lambda: start(server, names(["web"])))
    ended = measure_startup("--machines", 1, "--gate", "web.ready.max=10ms", "--gate", "created.max=1s")
    assert ended.code == 1
    assert "FAILED: web.ready.max is 0." in ended.out
    assert "(limit 0.01 s)." in ended.out
    assert "created.max is" not in ended.out


def test_machines_that_cant_serve_are_measured_until_ready(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    def simulate() -> None:
        start(server, names(["web"]), 0.01)
        server.answers = lambda *_: REFUSED

    server.answers = lambda *_: REFUSED
    meanwhile(server, simulate)
    assert measure_startup("--machines", 1, "--until", "ready").code == 0
    assert document(results)["phases"]["ready"]["unreached"] == 0


def test_a_simulated_machine_has_no_phase_serving_and_is_marked(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    def simulate() -> None:
        name = "multi-tier-web-0"
        server.put(VIRTUAL_MACHINES, machine(name))
        server.put(PODS, launcher(name, "node"))
        server.put(VIRTUAL_MACHINE_INSTANCES, instance(name, "Running", **{SIMULATED: "true"}))
        server.put(VIRTUAL_MACHINES, machine(name, ready=True))

    meanwhile(server, simulate)
    ended = measure_startup("--machines", 1)
    assert ended.code == 0
    assert "1 of 1 machines are simulated: nothing booted." in ended.out
    found = document(results)
    assert found["machines"][0]["simulated"]
    assert set(found["phases"]) == {"created", "scheduled", "running", "ready"}
    assert server.asked == []


def test_a_machine_of_no_tier_has_no_phase_serving(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    meanwhile(server, lambda: start(server, ["a-builder-0"], 0.01))
    assert measure_startup("--machines", 1).code == 0
    found = document(results)
    assert "serving" not in found["phases"]
    assert not found["machines"][0]["asked"]


def test_a_failed_command_ends_the_measurement(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    server.on_start = lambda: server.put(VIRTUAL_MACHINES, machine("multi-tier-web-0"))
    ended = measure_startup(*starter(server, code=7))
    assert ended.code == 3
    assert "exited with code 7." in ended.out
    assert document(results)["phases"]["ready"]["unreached"] == 1


def test_a_command_that_creates_no_machine_measures_nothing(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    server.put(VIRTUAL_MACHINES, machine("multi-tier-web-0", ready=True))
    ended = measure_startup(*starter(server))
    assert ended.code == 3
    assert "created no machine with the labels app.kubernetes.io/part-of=multi-tier" in ended.err
    assert "(1 existed already, and aren't measured)" in ended.err
    assert not results.exists()


def test_a_machine_that_is_deleted_before_it_serves_is_not_waited_for(
    server: ApiServer, measure_startup: MeasureStartup
) -> None:
    def vanish() -> None:
        server.put(VIRTUAL_MACHINES, machine("multi-tier-web-0"))
        server.remove(VIRTUAL_MACHINES, "vm-multi-tier-web-0")

    meanwhile(server, vanish)
    ended = measure_startup("--machines", 1)
    assert ended.code == 3
    assert "NOT SERVING: Deleted before it was serving: multi-tier-web-0." in ended.out


def test_an_interrupt_keeps_what_was_measured(
    server: ApiServer, measure_startup: MeasureStartup, results: Path
) -> None:
    def interrupt() -> None:
        start(server, names(["database"]), 0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    meanwhile(server, interrupt)
    ended = measure_startup("--machines", 3)
    assert ended.code == 130
    found = document(results)
    assert found["verdict"]["outcome"] == "interrupted"
    assert found["machines"][0]["ready"] is not None


WRONG: Mapping[str, str] = {
    "": "How many machines will start? Say so with --machines, or give the command that creates them",
    "--machines 0": "Invalid value for '--machines'",
    "--machines 1 --gate redy.p95=3s": "Unknown gate 'redy.p95': did you mean ready.p95?",
    "--machines 1 --gate ready.p96=3s": "Unknown gate 'ready.p96'",
    "--machines 1 --gate ready.p95=30": "--gate ready.p95 needs a time with its unit, such as 800ms or 12.5s, not",
    "--machines 1 --gate ready.p95": "needs a time with its unit",
    "--machines 1 --until booted": "Invalid value for '--until'",
    "--machines 1 --timeout soon": "'soon' is not a duration",
    "--machines 1 --prometheus http://localhost": "--queries and --prometheus only work together.",
    "-- /no/such/program": "Can't run /no/such/program: No such file or directory.",
}


@pytest.mark.parametrize("flags", WRONG)
def test_wrong_usage_is_told_in_one_line(flags: str, measure_startup: MeasureStartup, results: Path) -> None:
    ended = measure_startup(*flags.split())
    assert ended.code == 2
    assert WRONG[flags] in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not results.exists()


@pytest.fixture
def prometheus() -> Iterator[PrometheusServer]:
    server = PrometheusServer()
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.yaml"
    path.write_text("pods: sum(up)\n")
    return path


class TestPrometheus:
    def test_each_query_is_asked_for_the_time_of_the_start_and_kept(
        self,
        server: ApiServer,
        measure_startup: MeasureStartup,
        results: Path,
        prometheus: PrometheusServer,
        queries: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PROMETHEUS_TOKEN", "secret-token")
        meanwhile(server, lambda: start(server, names(["web"])))
        before = time.time()
        ended = measure_startup("--machines", 1, "--queries", queries, "--prometheus", prometheus.url)
        assert ended.code == 0, ended.out + ended.err
        found = document(results)
        assert found["prometheus"]["pods"] == {"query": "sum(up)", "series": [{"values": [[1, "2"]]}], "problem": ""}
        path, parameters, authorization = prometheus.asked[-1]
        assert path == "/api/v1/query_range"
        assert before <= float(parameters["start"]) < float(parameters["end"]) <= time.time()
        assert float(parameters["end"]) - float(parameters["start"]) == pytest.approx(found["seconds"], abs=0.01)
        assert (parameters["step"], authorization) == ("1", "Bearer secret-token")
        assert "secret-token" not in json.dumps(found) + ended.out + ended.err

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("pods: bad(", "Query 'pods': Prometheus refuses it: bad_data: parse error: unclosed left parenthesis."),
            ("- sum(up)", "must map names to PromQL queries"),
            ("pods: 3", "'pods' must be a name with a PromQL query, not 3."),
            ("pods: [", "is not YAML"),
        ],
    )
    def test_a_wrong_query_is_refused_before_anything_is_started(
        self, text: str, said: str, measure_startup: MeasureStartup, prometheus: PrometheusServer, queries: Path
    ) -> None:
        queries.write_text(text)
        marker = queries.with_name("started")
        started = ["--", sys.executable, "-c", f"open({str(marker)!r}, 'w')"]
        ended = measure_startup("--queries", queries, "--prometheus", prometheus.url, *started)
        assert ended.code == 2
        assert said in ended.err
        assert len(ended.err.splitlines()) == 1
        assert not marker.exists()

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://ann:secret@127.0.0.1:1", "nowhere", "http://[::1"])
    def test_a_prometheus_that_cant_be_reached_is_one_clear_line(
        self, url: str, measure_startup: MeasureStartup, queries: Path
    ) -> None:
        ended = measure_startup("--machines", 1, "--queries", queries, "--prometheus", url)
        assert ended.code == 2
        assert "rometheus" in ended.err
        assert "secret" not in ended.err
        assert len(ended.err.splitlines()) == 1

    def test_a_prometheus_that_goes_away_costs_only_its_own_results(
        self,
        server: ApiServer,
        measure_startup: MeasureStartup,
        results: Path,
        prometheus: PrometheusServer,
        queries: Path,
    ) -> None:
        prometheus.late = True
        meanwhile(server, lambda: start(server, names(["web"]), 0.01))
        ended = measure_startup("--machines", 1, "--queries", queries, "--prometheus", prometheus.url)
        assert ended.code == 0
        refusal = "the server answered with HTTP status 200, but is not Prometheus."
        assert f"Query 'pods': Prometheus refuses it: {refusal}" in ended.out
        assert document(results)["prometheus"]["pods"]["series"] == []


def test_the_published_schema_is_the_programs() -> None:
    assert SCHEMA.read_text() == schema(), ".venv/bin/python -m measure.startup_summary > docs/startup.schema.json"
