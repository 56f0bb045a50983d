"""A Kubernetes client for tests: one ConfigMap, and a load agent whose clock advances with each poll."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cloudinit.fault_plan import FaultPlan, parse_fault_plan
from cloudinit.load_plan import LoadPlan, parse_load_plan, render_load_plan
from kube.errors import StatusError
from tests.unit.measure.synthetic import TRACE, Service, plan, requests, steady

NAMESPACE = "/api/v1/namespaces/multi-tier"
PROXY = f"{NAMESPACE}/services/multi-tier-load:http/proxy"
MACHINES = "/apis/kubevirt.io/v1/namespaces/multi-tier/virtualmachines"
INSTANCES = "/apis/kubevirt.io/v1/namespaces/multi-tier/virtualmachineinstances"
STORAGE = f"{NAMESPACE}/services/multi-tier-web:http/proxy/api/v1/storage"


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
        clock_step: By how much its wall clock has been set since then.
        began: When the run in force started, in seconds passed.
        instance: Id of this start of the agent.
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
    clock_step: float = 0.0
    began: float = 0.0
    instance: str = "first"

    def now(self) -> float:
        return self.born + self.passed + self.clock_step

    def replace(self) -> None:
        """Start again in a new guest, which knows nothing."""
        self.log.clear()
        self.run, self.last, self.pending, self.instance = None, None, [], "second"

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
            self.began = self.passed

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
        elapsed = self.passed - self.began
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
            "instance": self.instance,
            "elapsed": self.passed - self.began,
            "versions": {"k6": "2.1.0"},
            "target": "http://multi-tier-web.multi-tier.svc.cluster.local",
            "problem": self.config_problem,
            "run": self.run or self._status_of(plan(), self.born),
            "last": self.last,
            "samples": {"first": 0, "next": len(self.log)},
        }


@dataclass
class FakeCluster:
    """A cluster with one stack, seen through `kube.client.Api`.

    Attributes:
        agent: The stack's load agent.
        data: The load's ConfigMap, None if it doesn't exist.
        version: Its resource version.
        changed: Unix time when a run was last added or removed.
        has_web: Whether the stack exists, if only without load.
        forbidden: Whether the user may do nothing.
        memory: Memory of web-0, which generates the load.
        storage: What the application reports about its data disk.
        changes: What was done to the ConfigMap.
        faults: The faults' ConfigMap.
        reports: What the guests report once a run has asked for faults, by machine.
        fault_plans: The fault plans that runs have asked for, and None for each removal.
    """

    agent: Agent = field(default_factory=Agent)
    data: dict[str, str] | None = field(
        default_factory=lambda: {"plan.json": render_load_plan(plan()), "gates.json": "{}"}
    )
    version: int = 1
    changed: float | None = None
    has_web: bool = True
    forbidden: bool = False
    memory: str = "1Gi"
    simulated: bool = False
    storage: dict[str, Any] | None = None
    changes: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    reports: Callable[[FaultPlan], dict[str, str]] = lambda _: {}
    fault_plans: list[FaultPlan | None] = field(default_factory=list)

    @property
    def run(self) -> LoadPlan | None:
        text = (self.data or {}).get("run.json")
        return parse_load_plan(text) if text else None

    def add_run(self, plan: LoadPlan, changed: float | None = None) -> None:
        """Put another client's run into the ConfigMap."""
        assert self.data is not None
        self.data["run.json"] = render_load_plan(plan)
        self.changed = changed

    def request(self, method: str, path: str) -> Any:
        assert method == "GET"
        return json.loads(self.read(path))

    def read(self, path: str) -> bytes:
        self.agent.advance((self.data or {}).get("run.json"))
        if self.forbidden:
            raise StatusError(f"GET {path}", 403, "forbidden")
        if path.startswith(PROXY):
            return self._agent(path)
        objects = {
            f"{NAMESPACE}/configmaps/multi-tier-load": self._config_map() if self.data is not None else None,
            f"{NAMESPACE}/configmaps/multi-tier-faults": {"data": self.faults},
            f"{NAMESPACE}/configmaps/multi-tier-fault-reports": {"data": self._reports()},
            f"{NAMESPACE}/services/multi-tier-web": {} if self.has_web else None,
            STORAGE: self.storage,
            MACHINES: {"items": [self._machine()]},
            INSTANCES: {"items": [self._instance()]},
            "/version": {"gitVersion": "v1.35.1"},
        }
        if objects.get(path) is None:
            raise StatusError(f"GET {path}", 404, "not found")
        return json.dumps(objects[path]).encode()

    def patch(self, _resource: object, name: str, body: dict[str, Any], **options: str) -> None:
        assert (options["kind"], options["field_manager"]) == ("apply", "multi-tier-measure")
        if name == "multi-tier-faults":
            self.fault_plans.append(parse_fault_plan(body["data"]["run.json"]) if body["data"] else None)
            return
        assert name == "multi-tier-load"
        assert self.data is not None
        self.agent.advance(self.data.get("run.json"))
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise StatusError(f"PATCH {name}", 409, "the object has been modified")
        # Server-side apply removes what the field manager no longer names.
        self.data.pop("run.json", None)
        self.data.update(body["data"])
        self.changes.append(f"added {self.run.run}" if self.run else "removed")
        self.version, self.changed = self.version + 1, time.time()

    def _reports(self) -> dict[str, str]:
        asked = next((plan for plan in self.fault_plans if plan), None)
        return self.reports(asked) if asked else {}

    def _config_map(self) -> dict[str, Any]:
        managers = [{"manager": "pulumi", "time": "2026-01-01T00:00:00Z"}]
        if self.changed:
            changed = datetime.fromtimestamp(self.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            managers.append({"manager": "multi-tier-measure", "time": changed})
        return {"metadata": {"resourceVersion": str(self.version), "managedFields": managers}, "data": self.data}

    def _machine(self) -> dict[str, Any]:
        labels = {"app.kubernetes.io/instance": "multi-tier", "app.kubernetes.io/component": "web"}
        domain = {"memory": {"guest": self.memory}}
        return {"metadata": {"name": "web-0", "labels": labels}, "spec": {"template": {"spec": {"domain": domain}}}}

    def _instance(self) -> dict[str, Any]:
        annotations = {"multi-tier.kubevirt.io/simulated": "true"} if self.simulated else None
        return {"metadata": {"name": "web-0", "annotations": annotations}}

    def _agent(self, path: str) -> bytes:
        if self.agent.unreachable:
            raise StatusError(f"GET {path}", 503, 'no endpoints available for service "multi-tier-load"')
        if path == f"{PROXY}/status":
            status = json.dumps(self.agent.status()).encode()
            self.agent.passed += self.agent.step
            return status
        start = int(path.removeprefix(f"{PROXY}/samples?from="))
        piece = bytes(self.agent.log[start : start + 2**18])
        return piece[: piece.rfind(b"\n") + 1]
