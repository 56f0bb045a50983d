"""An API server with one ConfigMap, and behind its service proxy a load agent whose clock advances with each poll."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cloudinit.load_plan import LoadPlan, parse_load_plan, render_load_plan
from tests.unit.measure.synthetic import TRACE, Service, plan, requests, steady

CONFIG_MAP = "/api/v1/namespaces/multi-tier/configmaps/multi-tier-load"
STORAGE = "/api/v1/namespaces/multi-tier/services/multi-tier-web:http/proxy/api/v1/storage"
WEB = "/api/v1/namespaces/multi-tier/services/multi-tier-web"
PROXY = "/api/v1/namespaces/multi-tier/services/multi-tier-load:http/proxy"


@dataclass
class Agent:
    """A load agent that does the run in the ConfigMap, on a clock of its own.

    Attributes:
        service: What the tiers do with a request.
        step: Seconds by which each poll of the status advances its clock, so that no test depends on real time.
        problem: Why the tiers don't respond, if they don't.
        silent: Whether it runs but writes no samples.
        unreachable: Whether it doesn't respond.
        ignoring: Whether it ignores the ConfigMap.
        config_problem: Why it can't follow the ConfigMap.
        log: The samples that it has written.
        run: The run in force.
        last: The latest run that has ended.
        pending: End (s) and sample line of the requests still to end.
        born: Unix time when its clock started.
        passed: Seconds since then.
    """

    service: Service = steady
    step: float = 1.0
    problem: str = ""
    silent: bool = False
    unreachable: bool = False
    ignoring: bool = False
    config_problem: str = ""
    log: bytearray = field(default_factory=bytearray)
    run: dict[str, Any] | None = None
    last: dict[str, Any] | None = None
    pending: list[tuple[float, bytes]] = field(default_factory=list)
    born: float = field(default_factory=time.time)
    passed: float = 0.0

    def now(self) -> float:
        return self.born + self.passed

    def advance(self, text: str | None) -> None:
        """Do what is due by now; `text` is run.json."""
        if self.ignoring:
            return
        self._write()
        wanted = parse_load_plan(text) if text else None
        if self.run and (wanted is None or wanted.run != self.run["id"]):
            self._end("stopped")
        if wanted and self.run is None and (self.last is None or self.last["id"] != wanted.run):
            ended = [] if self.silent or self.problem else requests(wanted, self.service)
            self.pending = [(at / 1000, line.encode()) for at, line in ended]
            self.run = self._status_of(wanted, None if self.problem else self.now())

    def _status_of(self, plan: LoadPlan, started: float | None) -> dict[str, Any]:
        return {
            "id": plan.run,
            "plan": json.loads(render_load_plan(plan)),
            "state": "waiting" if self.problem else "running",
            "problem": self.problem,
            "started": started,
            "trace": TRACE,
            "first": len(self.log),
            "next": None,
        }

    def _write(self) -> None:
        if self.run is None or self.run["state"] != "running":
            return
        elapsed = self.now() - self.run["started"]
        done = 0
        for at, line in self.pending:
            if at > elapsed:
                break
            self.log += line
            done += 1
        del self.pending[:done]
        if not self.pending and not self.silent and elapsed > self.run["plan"]["seconds"]:
            self._end("finished")

    def _end(self, state: str) -> None:
        assert self.run
        self.last = {**self.run, "state": state, "next": len(self.log)}
        self.run = None

    def status(self) -> dict[str, Any]:
        return {
            "time": self.now(),
            "versions": {"k6": "1.8.1"},
            "target": "http://multi-tier-web.multi-tier.svc.cluster.local",
            "problem": self.config_problem,
            "run": self.run or self._status_of(plan(), self.born),
            "last": self.last,
            "samples": {"first": 0, "next": len(self.log)},
        }


@dataclass
class FakeCluster:
    """Everything that the program reads from a cluster or changes in it."""

    kubeconfig: Path
    agent: Agent = field(default_factory=Agent)
    data: dict[str, str] | None = field(default_factory=dict)
    version: int = 1
    changed: float | None = None
    has_web: bool = True
    forbidden: bool = False
    storage: dict[str, Any] | None = None
    changes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def run(self) -> LoadPlan | None:
        text = (self.data or {}).get("run.json")
        return parse_load_plan(text) if text else None

    def add_run(self, plan: LoadPlan, changed: float | None = None) -> None:
        """Put another client's run into the ConfigMap."""
        assert self.data is not None
        self.data["run.json"] = render_load_plan(plan)
        self.changed = changed

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, bytes]:
        with self.lock:
            self.agent.advance((self.data or {}).get("run.json"))
            if self.forbidden:
                return 403, _status("configmaps is forbidden")
            if path == CONFIG_MAP:
                return self._config_map(method, query, body)
            if path == WEB and self.has_web:
                return 200, b"{}"
            if path == STORAGE and self.storage:
                return 200, json.dumps(self.storage).encode()
            if path == "/version":
                return 200, b'{"gitVersion": "v1.35.1"}'
            if path.startswith(PROXY):
                return self._agent(path.removeprefix(PROXY), query)
            return 404, _status(f"{path} not found")

    def _config_map(self, method: str, query: dict[str, list[str]], body: Any) -> tuple[int, bytes]:
        if self.data is None:
            return 404, _status('configmaps "multi-tier-load" not found')
        if method == "PATCH":
            assert query["fieldManager"] == ["multi-tier-measure"]
            if body["metadata"]["resourceVersion"] != str(self.version):
                return 409, _status("the object has been modified")
            # Server-side apply removes what the field manager no longer names.
            self.data.pop("run.json", None)
            self.data.update(body.get("data") or {})
            self.changes.append(f"added {self.run.run}" if self.run else "removed")
            self.version, self.changed = self.version + 1, time.time()
        managers = [{"manager": "pulumi", "time": "2026-01-01T00:00:00Z"}]
        if self.changed:
            changed = datetime.fromtimestamp(self.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            managers.append({"manager": "multi-tier-measure", "time": changed})
        metadata = {"name": "multi-tier-load", "resourceVersion": str(self.version), "managedFields": managers}
        return 200, json.dumps({"metadata": metadata, "data": self.data}).encode()

    def _agent(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if self.agent.unreachable:
            return 503, _status('no endpoints available for service "multi-tier-load"')
        if path == "/status":
            status = json.dumps(self.agent.status()).encode()
            self.agent.passed += self.agent.step
            return 200, status
        start = int(query["from"][0])
        piece = bytes(self.agent.log[start : start + 2**18])
        return 200, piece[: piece.rfind(b"\n") + 1]


def _status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


@contextmanager
def fake_cluster(directory: Path) -> Iterator[FakeCluster]:
    """Yield a cluster with a stack that serves, and its kubeconfig."""
    cluster = FakeCluster(directory / "kubeconfig")
    cluster.data = {"plan.json": render_load_plan(plan()), "gates.json": "{}"}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            split = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(sent) if sent else None
            status, answer = cluster.answer(self.command, split.path, parse_qs(split.query), body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_PATCH = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that closed its connection
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    cluster.kubeconfig.write_text(_kubeconfig(f"http://127.0.0.1:{server.server_address[1]}"))
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kubeconfig(server: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": server}}],
            "users": [{"name": "fake", "user": {"token": "token"}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
    )
