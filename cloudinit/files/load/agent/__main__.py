"""The load agent's program: `python3 -m load.agent`. Its settings come from the environment, see `settings`."""

import logging
import os
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
from . import chain
from .conductor import Conductor, Tools
from .config_map import ConfigMap, SourceError
from .generator import OPTIONS, Generator
from .plans import Plans
from .run import Record, Run
from .sample_log import SampleLog
from .service import Board, Server

if TYPE_CHECKING:
    from .metrics import Metrics
    from .tracing import Spans

SCRIPT = Path(__file__).parents[1] / "requests.js"
FOLLOW_INTERVAL = 1.0  # seconds between readings of the ConfigMap
STEP_INTERVAL = 0.1  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the agent is told."""

    target: str
    """Base URL of the web tier."""
    config_map: str
    """URL of the ConfigMap with the plans."""
    credentials: Path
    """Directory with `token` and `ca`."""
    state: Path
    """Directory that stays when the program ends."""
    k6: str
    metrics: bool
    tracing_endpoint: str
    """Empty: no tracing."""
    tracing_service: str


def settings(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment; raises KeyError for one that is not there."""
    return Settings(
        target=environment["TARGET"],
        config_map=environment["CONFIG_MAP_URL"],
        credentials=Path(environment["CREDENTIALS_DIRECTORY"]),
        state=Path(environment["STATE_DIRECTORY"]),
        k6=environment.get("K6", "/usr/local/bin/k6"),
        metrics=environment.get("METRICS") == "1",
        tracing_endpoint=environment.get("TRACING_ENDPOINT", ""),
        tracing_service=environment.get("TRACING_SERVICE", ""),
    )


class Agent:
    """All parts of the agent, put together."""

    def __init__(self, told: Settings) -> None:
        self._told = told
        self._plans = Plans()
        self._samples = SampleLog(told.state / "samples")
        self._record = Record(told.state / "runs.json", self._samples.next)
        tools = Tools(start=self._generator, chain=partial(chain.problem_of, told.target))
        self._conductor = Conductor(self._plans, self._record, self._samples, tools)
        self._metrics = _metrics(self._asked) if told.metrics else None
        self._spans = _spans(told) if told.tracing_endpoint else None
        self._k6 = ""

    @property
    def board(self) -> Board:
        """What the HTTP interface shows."""
        return Board(
            self._samples,
            self._status,
            lambda: self._plans.stack is not None,
            self._metrics.exposition if self._metrics else None,
        )

    def follow(self, stop: threading.Event) -> None:
        """Read the ConfigMap until told to stop; say each change of state once."""
        source = ConfigMap(self._told.config_map, self._told.credentials)
        said = ""
        while True:
            try:
                self._plans.update(source.fetch())
            except SourceError as error:
                self._plans.out_of_date(str(error))
            if self._plans.problem not in ("", said):
                log.warning("%s", self._plans.problem)
            said = self._plans.problem
            if stop.wait(FOLLOW_INTERVAL):
                return

    def conduct(self, stop: threading.Event) -> None:
        """Do what the plans ask for until told to stop."""
        while not stop.wait(STEP_INTERVAL):
            self._conductor.step()
        self._conductor.close()
        if self._spans:
            self._spans.close()
        self._samples.close()

    def _asked(self) -> float:
        run = self._record.current
        return run.rate(time.time()) if run else 0.0

    def _status(self) -> dict[str, Any]:
        return {
            "versions": {"k6": self._k6},
            "target": self._told.target,
            "problem": self._plans.problem,
            **self._record.documents(),
        }

    def _generator(self, run: Run) -> Generator:
        self._k6 = self._k6 or _version(self._told.k6)
        plan = self._told.state / "plan.json"
        plan.write_text(render_load_plan(run.plan), encoding="utf-8")
        environment = {
            "HOME": "/tmp",  # noqa: S108
            "PLAN": str(plan),
            "TARGET": self._told.target,
            "TRACE": run.trace,
            "COLUMNS": HEADER,
        }

        def take(started: float, lines: Sequence[bytes]) -> None:
            self._samples.append(lines)
            if self._metrics:
                self._metrics.take(lines)
            if self._spans:
                self._spans.take(run, started, lines)

        return Generator([self._told.k6, *OPTIONS, str(SCRIPT)], environment, take)


def _version(k6: str) -> str:
    """The version of k6, such as 1.8.1; raises OSError when there is no k6."""
    said = subprocess.run([k6, "version"], capture_output=True, text=True, check=False).stdout.split()
    return next((word.lstrip("v") for word in said if word[:1] == "v" and word[1:2].isdigit()), "")


# Both imported only where asked for: what they need is not there otherwise.


def _metrics(asked: Callable[[], float]) -> "Metrics":
    from .metrics import Metrics

    return Metrics(asked)


def _spans(told: Settings) -> "Spans":
    from .tracing import Spans

    return Spans(told.tracing_endpoint, told.tracing_service)


def main() -> None:
    """Run until told to end by a signal."""
    logging.basicConfig(format="multi-tier load: %(message)s", level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    agent = Agent(settings(os.environ))
    server = Server(agent.board, LOAD_AGENT_PORT)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    threading.Thread(target=agent.follow, args=(stop,), name="plans", daemon=True).start()
    agent.conduct(stop)


if __name__ == "__main__":
    main()
