"""The first good response of each machine, to requests that the API server passes on to its Pod."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from cloudinit.constants import APPLICATION_PORT, DATABASE_PORT, LOAD_AGENT_PORT, WEB_PORT
from components.names import TierName
from kube.client import Api
from kube.errors import ApiError, StatusError
from kube.resources import PODS
from measure.run.machine_watch import Clock, StartingMachine

ANSWER_SECONDS = 1.0
"""How long a response may take. Also how often a guest without a network is asked, which drops what is sent to it."""
_PAUSE = 0.1  # seconds between a response and the next request to the same machine
_AT_ONCE = 16
# PostgreSQL takes the connection, reads what is no startup packet, and closes. An error while dialling is another one.
_ACCEPTED = re.compile(r"error trying to reach service: .*(EOF|connection reset by peer|malformed HTTP)")


@dataclass(frozen=True, slots=True)
class _Request:
    """How a tier is asked: by HTTP, or, without a path, by what becomes of a connection."""

    port: int
    path: str | None = None


_REQUESTS: dict[str, _Request] = {
    TierName.DATABASE: _Request(DATABASE_PORT),
    # The web machine's response takes all tiers.
    TierName.APPLICATION: _Request(APPLICATION_PORT, "/api/v1/accounts/1"),
    TierName.WEB: _Request(WEB_PORT, "/api/v1/accounts/1"),
    TierName.LOAD: _Request(LOAD_AGENT_PORT, "/ready"),
}


@dataclass(slots=True)
class _Asked:
    """What became of the requests to one machine."""

    sent: float | None = None
    in_flight: bool = False
    ended: float | None = None
    served: float | None = None
    problem: str = ""


class FirstAnswers:
    """Asks machines until each has answered once."""

    def __init__(self, api: Api, *, namespace: str, clock: Clock = time.monotonic) -> None:
        """Prepare to ask through an API client whose requests time out after ANSWER_SECONDS."""
        self._api, self._namespace, self._clock = api, namespace, clock
        self._asked: dict[str, _Asked] = {}
        self._lock = Lock()
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="answers")
        self.resolution: float | None = None

    def ask(self, machines: Iterable[StartingMachine]) -> None:
        """Send a request to each machine that runs and has not answered yet, and return at once."""
        now = self._clock()
        for machine in machines:
            request, pod = request_of(machine), machine.pod
            asked = self._asked.setdefault(machine.uid, _Asked())
            with self._lock:
                resting = asked.ended is not None and now - asked.ended < _PAUSE
                if request is None or pod is None or asked.in_flight or resting or asked.served is not None:
                    continue
                asked.in_flight = True
            self._workers.submit(self._send, pod, request, asked)

    def served(self, uid: str) -> float | None:
        """Return when a machine first answered."""
        return self._asked[uid].served if uid in self._asked else None

    def problem(self, uid: str) -> str:
        """Return why a machine's last request failed; empty if it did not."""
        return self._asked[uid].problem if uid in self._asked else ""

    def stop(self) -> None:
        """Send nothing more."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _send(self, pod: str, request: _Request, asked: _Asked) -> None:
        earlier, sent = asked.sent, self._clock()
        problem = self._problem_of(pod, request)
        now = self._clock()
        with self._lock:
            asked.sent, asked.ended, asked.problem, asked.in_flight = sent, now, problem, False
            if not problem:
                asked.served = now
                if earlier is not None:
                    self.resolution = max(self.resolution or 0.0, now - earlier)

    def _problem_of(self, pod: str, request: _Request) -> str:
        """Send one request and return why its response is not good; empty if it is."""
        try:
            self._api.read(PODS.path(self._namespace, f"{pod}:{request.port}", "proxy") + (request.path or "/"))
        except StatusError as error:
            accepted = request.path is None and _ACCEPTED.match(error.message)
            return "" if accepted else f"{error.status} {error.message}".strip()
        except ApiError as error:
            return str(error)
        return ""


def request_of(machine: StartingMachine) -> _Request | None:
    """Return the request that a machine is sent; None if it is never asked: it is of no tier, or nothing boots."""
    return None if machine.simulated else _REQUESTS.get(machine.tier)
