"""How long a lab takes from nothing to traffic, and a stack on a warm lab from `up` to its first good answer."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, figure, missing, text
from bench.labs import DIRECTORY
from kube import client
from kube.client import Api
from kube.errors import ApiError
from kube.resources import VIRTUAL_MACHINES
from lab import deployment, lifecycle, traffic
from lab.command import run
from lab.config import DEFAULT_SUBNET, PROJECT, Lab
from lab.errors import LabError
from lab.progress import Progress

REPEATS, QUICK_REPEATS = 3, 1
STACK = "lab"
TIERS = ("database", "application", "web")
_NAME = "multi-tier"  # of the stack's objects
_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 0.3
_LAST_TRIES = 100  # after `up` has ended
_COLD_SECONDS = 3600.0


def measure(console: Console, *, quick: bool, cold: bool) -> dict[str, Any]:
    """Start a lab and its stack several times.

    Args:
        console: Shows the progress.
        quick: Whether to do it once.
        cold: Whether to build every program and the guest image as well, once, which takes 20 minutes.

    Raises:
        LabError: It didn't start.
    """
    runs: list[dict[str, float]] = []
    with _no_lab(console):
        for _ in range(QUICK_REPEATS if quick else REPEATS):
            one = {"lab_from_nothing_s": _from_nothing()[0]}
            lab = Lab.at(DIRECTORY, DEFAULT_SUBNET)
            deployment.destroy(lab, STACK)
            one |= _first_answer(lab)
            runs.append(one)
            lifecycle.stop(lab, Progress(console))
            console.print(", ".join(f"{name} {seconds:.1f}" for name, seconds in one.items()), highlight=False)
        found: dict[str, Any] = {name: figure([one[name] for one in runs]) for name in runs[0]}
        return {**found, **(_cold() if cold else {"cold_lab_s": missing("takes 20 minutes: ask for it with --cold")})}


@contextmanager
def _no_lab(console: Console) -> Iterator[None]:
    def stop() -> None:
        lifecycle.stop(Lab.at(DIRECTORY, DEFAULT_SUBNET), Progress(console))

    stop()
    try:
        yield
    finally:
        stop()


def _from_nothing(**variables: str) -> tuple[float, str]:
    """Return the seconds that `make lab` takes until it has shown the traffic, and what it printed."""
    environment = {**os.environ, "MULTI_TIER_LAB": str(DIRECTORY), **variables}
    began = time.monotonic()
    command = (sys.executable, "-m", "lab", "up")
    said = run(*command, cwd=PROJECT, env=environment, timeout=_COLD_SECONDS, failure="The lab didn't start")
    return time.monotonic() - began, said


def _cold() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        seconds, said = _from_nothing(XDG_CACHE_HOME=f"{directory}/cache", GOCACHE=f"{directory}/go")
    # The lines of Progress: what was built, and how long it took.
    steps = re.findall(r"^✓ (?:Building )?(.+?)(?: \(.*\))? ([0-9.]+) s$", said, re.M)
    return {"cold_lab_s": figure([seconds]), "cold_steps": {name: float(took) for name, took in steps}}


def _first_answer(lab: Lab) -> dict[str, float]:
    """Return the seconds from `up` to the first good answer, and by tier from the VM object to its readiness."""
    seen: dict[str, float] = {}
    finished = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        # The engine stays in the main thread, which alone can handle signals.
        watching = pool.submit(_watch, client.connect(lab.kubeconfig), seen, finished)
        try:
            deployment.up(lab, STACK)
        finally:
            ended = time.monotonic()
            finished.set()
        watching.result()
    by_tier = {f"{tier}_ready_s": seen[f"{tier} ready"] - seen[f"{tier} created"] for tier in TIERS}
    return {"first_answer_s": seen["answer"] - began, "up_s": ended - began, **by_tier}


def _watch(cluster: Api, seen: dict[str, float], ended: threading.Event) -> None:
    """Note when each machine was created and ready, and when the web tier first gave a good answer.

    Raises:
        LabError: It gave none, although `up` has ended.
    """
    names = {f"{_NAME}-{tier}-0": tier for tier in TIERS}
    url, tries = "", 0
    with httpx.Client(timeout=_ANSWER_SECONDS, trust_env=False) as http:
        while tries < _LAST_TRIES:
            tries += ended.is_set()
            now = time.monotonic()
            with suppress(ApiError, httpx.HTTPError):
                for machine in cluster.list(VIRTUAL_MACHINES, _NAME)[0]:
                    tier = names.get(machine["metadata"]["name"])
                    seen.setdefault(f"{tier} created", now)
                    if machine.get("status", {}).get("ready"):
                        seen.setdefault(f"{tier} ready", now)
                url = url or traffic.reachable_url(cluster, f"http://{_NAME}-web.{_NAME}/")
                if "answer" not in seen and http.get(f"{url}/api/v1/accounts/1").status_code == httpx.codes.OK:
                    seen["answer"] = time.monotonic()
            if "answer" in seen and "web ready" in seen:
                return
            time.sleep(_POLL_SECONDS)
    raise LabError(f"{url} gave no good answer after `up` ended. See `.venv/bin/python -m lab status`.")


def table(found: dict[str, Any]) -> Table:
    """Return every time."""
    rows = Table("from", "seconds")
    names = {
        "lab_from_nothing_s": "nothing to traffic",
        "first_answer_s": "`up` on a warm lab to the first good answer",
    }
    names |= {"up_s": "`up` on a warm lab to its end", "cold_lab_s": "an empty cache to traffic"}
    names |= {f"{tier}_ready_s": f"{tier} VM created to ready" for tier in TIERS}
    for name, what in names.items():
        one: Figure | None = found.get(name)
        if one:
            rows.add_row(what, text(one))
    for name, seconds in found.get("cold_steps", {}).items():
        rows.add_row(f"  {name}", f"{seconds:.0f}")
    return rows
