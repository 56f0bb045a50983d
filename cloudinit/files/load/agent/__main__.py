"""The load agent: `python3 -m load.agent`, with settings from the environment (see `read_settings`)."""

import logging
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..constants import LOAD_AGENT_PORT
from ..load_plan import render_load_plan
from ..sample_columns import HEADER
from .api import Endpoints, Server
from .controller import Controller, Dependencies
from .desired_plans import DesiredPlans
from .generator import OPTIONS, Generator
from .kubernetes import ApiObject, Contents, follow
from .probe import probe
from .run import Run, RunStore
from .sample_log import SampleLog

if TYPE_CHECKING:
    from .metrics import Metrics
    from .tracing import Spans

SCRIPT = Path(__file__).parents[1] / "requests.js"
RECONCILE_INTERVAL = 0.1  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The agent's settings.

    Attributes:
        target: Base URL of the web tier.
        config_map: Name of the ConfigMap with the plans.
        credentials: Directory with the access to it.
        state: Directory that survives restarts.
        k6: Path of k6.
        metrics: Whether to serve metrics.
        tracing_endpoint: Base URL of the collector; empty: no tracing.
        tracing_service: The spans' service.name.
    """

    target: str
    config_map: str
    credentials: Path
    state: Path
    k6: str
    metrics: bool
    tracing_endpoint: str
    tracing_service: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in an environment; raises KeyError if one is missing."""
    return Settings(
        target=environment["TARGET"],
        config_map=environment["CONFIG_MAP"],
        credentials=Path(environment["CREDENTIALS_DIRECTORY"]),
        state=Path(environment["STATE_DIRECTORY"]),
        k6=environment.get("K6", "/usr/local/bin/k6"),
        metrics=environment.get("METRICS") == "1",
        tracing_endpoint=environment.get("TRACING_ENDPOINT", ""),
        tracing_service=environment.get("TRACING_SERVICE", ""),
    )


class Agent:
    """The agent's parts, connected."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plans = DesiredPlans()
        self._samples = SampleLog(settings.state / "samples")
        self._runs = RunStore(settings.state / "runs.json", self._samples.next)
        dependencies = Dependencies(start=self._start_generator, probe=partial(probe, settings.target))
        self._controller = Controller(self._plans, self._runs, self._samples, dependencies)
        self._metrics = _metrics(self._scheduled_rate) if settings.metrics else None
        self._spans = _spans(settings) if settings.tracing_endpoint else None
        self._k6 = ""
        self._instance = secrets.token_hex(8)
        self._began = time.monotonic()

    @property
    def endpoints(self) -> Endpoints:
        """What the HTTP API responds with."""
        return Endpoints(
            self._samples,
            self._status,
            lambda: self._plans.stack is not None,
            self._metrics.exposition if self._metrics else None,
        )

    def follow(self, stop: threading.Event) -> None:
        """Follow the ConfigMap until `stop` is set, and log each new problem once."""
        logged = ""

        def log_problem() -> None:
            nonlocal logged
            if self._plans.problem not in ("", logged):
                log.warning("%s", self._plans.problem)
            logged = self._plans.problem

        def take(found: Contents) -> None:
            self._plans.update(found.data, found.ages)
            log_problem()

        def lost(reason: str) -> None:
            self._plans.mark_stale(reason)
            log_problem()

        follow(ApiObject(self._settings.credentials, "configmaps", self._settings.config_map), take, lost, stop)

    def control(self, stop: threading.Event) -> None:
        """Run the desired plans until `stop` is set."""
        while not stop.wait(RECONCILE_INTERVAL):
            self._controller.reconcile()
        self._controller.close()
        if self._spans:
            self._spans.close()
        self._samples.close()

    def _scheduled_rate(self) -> float:
        run, elapsed = self._runs.current, self._controller.elapsed
        return run.rate(elapsed) if run and elapsed is not None else 0.0

    def _status(self) -> dict[str, Any]:
        return {
            "time": time.time(),
            "instance": self._instance,
            "uptime": time.monotonic() - self._began,
            "elapsed": self._controller.elapsed,
            "versions": {"k6": self._k6},
            "target": self._settings.target,
            "problem": self._plans.problem,
            **self._runs.documents(),
        }

    def _start_generator(self, run: Run) -> Generator:
        self._k6 = self._k6 or _version(self._settings.k6)
        plan = self._settings.state / "plan.json"
        plan.write_text(render_load_plan(run.plan), encoding="utf-8")
        environment = {
            "HOME": "/tmp",  # noqa: S108
            "PLAN": str(plan),
            "TARGET": self._settings.target,
            "TRACE": run.trace,
            "COLUMNS": HEADER,
        }

        def take(started: float, lines: Sequence[bytes]) -> None:
            self._samples.append(lines)
            if self._metrics:
                self._metrics.take(lines)
            if self._spans:
                self._spans.take(run, started, lines)

        return Generator([self._settings.k6, *OPTIONS, str(SCRIPT)], environment, take)


def _version(k6: str) -> str:
    """Return the version of k6, such as 2.1.0; raises OSError if there is no k6."""
    output = subprocess.run([k6, "version"], capture_output=True, text=True, check=False).stdout.split()
    return next((word.lstrip("v") for word in output if word[:1] == "v" and word[1:2].isdigit()), "")


# Imported only when enabled: otherwise the guest has neither the modules nor what they need.


def _metrics(scheduled_rate: Callable[[], float]) -> "Metrics":
    from .metrics import Metrics

    return Metrics(scheduled_rate)


def _spans(settings: Settings) -> "Spans":
    from .tracing import Spans

    return Spans(settings.tracing_endpoint, settings.tracing_service)


def main() -> None:
    """Run until a signal arrives."""
    logging.basicConfig(format="multi-tier load: %(message)s", level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    agent = Agent(read_settings(os.environ))
    server = Server(agent.endpoints, LOAD_AGENT_PORT)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    threading.Thread(target=agent.follow, args=(stop,), name="plans", daemon=True).start()
    agent.control(stop)


if __name__ == "__main__":
    main()
