"""Load generators: our own, by the command that a user runs, and hey, wrk and Locust as Debian packages them."""

from __future__ import annotations

import csv
import os
import platform
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from bench import runs, saturation
from bench.guests import cpu_seconds
from bench.stacks import Running
from lab.command import run as run_command
from lab.config import Lab
from lab.errors import LabError
from lab.toolchain import debian_package

OURS = "multi-tier"
CONNECTIONS = 50
_LOCUST = Path(__file__).with_name("locustfile.py")
# Locust with everything that it imports: a machine need have none of it.
_LOCUST_PACKAGES = tuple(
    f"python3-{name}"
    for name in (
        *("brotli", "certifi", "charset-normalizer", "chardet", "click", "configargparse", "flask", "flask-basicauth"),
        *(
            "flask-cors",
            "gevent",
            "geventhttpclient",
            "greenlet",
            "idna",
            "itsdangerous",
            "jinja2",
            "locust",
            "markupsafe",
        ),
        *(
            "msgpack",
            "pkg-resources",
            "psutil",
            "requests",
            "roundrobin",
            "six",
            "typing-extensions",
            "urllib3",
            "werkzeug",
        ),
        *("zmq", "zope.event", "zope.interface"),
    )
)
_LIBRARIES = ("libev4", "libc-ares2", "libzmq5", "libsodium23", "libpgm-5.3-0", "libnorm1", "libbsd0", "libmd0")


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator did, and what it says.

    Attributes:
        requests: How many requests it sent.
        cpu_seconds: Processor time that it used itself.
        p99_ms: The 99th percentile that it reports.
        began: When it was started, by the monotonic clock.
        ended: When it had ended.
        paced: Whether it was to send at a rate.
    """

    requests: int
    cpu_seconds: float
    p99_ms: float
    began: float
    ended: float
    paced: bool = True


Generator = Callable[[int, int], Load]
"""Sends at a rate, for some seconds."""


def available(
    lab: Lab, stack: Running, directory: Path, console: Console
) -> tuple[dict[str, Generator], dict[str, str]]:
    """Return the generators by name, and of those that can't be had, why."""
    found: dict[str, Generator] = {OURS: partial(_ours, lab, stack, directory)}
    absent: dict[str, str] = {}
    peers: dict[str, Callable[[str], Generator]] = {"hey": _hey, "wrk": _wrk, "locust": _locust}
    for name, prepare in peers.items():
        try:
            found[name] = prepare(stack.url)
        except LabError as error:
            absent[name] = str(error).partition("\n")[0]
            console.print(f"Without {name}: {absent[name]}", markup=False)
    return found, absent


def _ours(lab: Lab, stack: Running, directory: Path, rate: int, seconds: int) -> Load:
    guest = next(name for name in stack.guests.names() if stack.guests.matching(name, "load.agent"))

    def used() -> float:
        processes = {pid for word in ("load.agent", "k6") for pid in stack.guests.matching(guest, word)}
        return sum(map(cpu_seconds, processes))

    with tempfile.TemporaryDirectory(dir=directory) as place:
        before, began = used(), time.monotonic()
        run = runs.start(lab, stack, Path(place), rps=rate, seconds=seconds, concurrency=CONNECTIONS)
        summary = runs.summary(run, Path(place), seconds)
    delivery, total = summary["delivery"], summary["latency"]["total"]
    sent = round(delivery["delivered_share"] * rate * seconds)
    return Load(sent, used() - before, total["p99"], began, time.monotonic())


def _timed(command: list[str | Path], seconds: int, **variables: str) -> tuple[str, float, float, float]:
    """Run a generator, and return what it prints, its processor time, and when it began and ended."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=seconds + 60, check=False)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    if not done.stdout and done.returncode != 0:
        raise LabError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, began, ended


def _hey(url: str) -> Generator:
    program = debian_package.unpack("hey") / "usr/bin/hey"

    def load(rate: int, seconds: int) -> Load:
        # Its rate is that of each worker.
        options = ["-z", f"{seconds}s", "-c", str(CONNECTIONS), "-q", f"{rate / CONNECTIONS:g}"]
        said, cpu, began, ended = _timed([program, *options, f"{url}/api/v1/accounts/1"], seconds)
        statuses = re.findall(r"\[\d+\]\s+(\d+) responses", said)
        p99 = re.search(r"99% in ([0-9.]+) secs", said)
        if not statuses or not p99:
            raise LabError(f"hey printed no result: {said.strip()[-500:]}")
        return Load(sum(map(int, statuses)), cpu, float(p99[1]) * 1000, began, ended)

    return load


def _wrk(url: str) -> Generator:
    unpacked = saturation.unpacked()

    def load(_: int, seconds: int) -> Load:
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", f"{url}/api/v1/accounts/1"]
        said, cpu, began, ended = _timed([unpacked.program, *options], seconds, LD_LIBRARY_PATH=str(unpacked.libraries))
        count = re.search(r"(\d+) requests in", said)
        p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s)", said)
        if not count or not p99:
            raise LabError(f"wrk printed no result: {said.strip()[-500:]}")
        unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]]
        return Load(int(count[1]), cpu, float(p99[1]) * unit, began, ended, paced=False)

    return load


def _locust(url: str) -> Generator:
    unpacked = debian_package.unpack(*_LOCUST_PACKAGES, *_LIBRARIES)
    libraries = f"{unpacked}/usr/lib/{platform.machine()}-linux-gnu:{unpacked}/lib/{platform.machine()}-linux-gnu"
    variables = {"PYTHONPATH": str(unpacked / "usr/lib/python3/dist-packages"), "LD_LIBRARY_PATH": libraries}

    locust: list[str | Path] = ["/usr/bin/python3", "-m", "locust"]

    def load(rate: int, seconds: int) -> Load:
        with tempfile.TemporaryDirectory() as directory:
            users = ["--users", str(CONNECTIONS), "--spawn-rate", str(CONNECTIONS), "--run-time", f"{seconds}s"]
            output = ["--headless", "--only-summary", "--csv", f"{directory}/found"]
            command: list[str | Path] = [
                "/usr/bin/python3",
                "-m",
                "locust",
                "--locustfile",
                _LOCUST,
                "--host",
                url,
                *users,
                *output,
            ]
            _, cpu, began, ended = _timed(command, seconds, **variables, RATE=f"{rate / CONNECTIONS:g}")
            path = Path(directory) / "found_stats.csv"
            if not path.exists():
                raise LabError("Locust wrote no result.")
            total = list(csv.DictReader(path.open()))[-1]
        return Load(int(total["Request Count"]), cpu, float(total["99%"]), began, ended)

    run_command(*locust, "--version", env={**os.environ, **variables}, failure="Locust doesn't run")
    return load
