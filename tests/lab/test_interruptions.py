"""After any interruption, one more `up` or `down` reaches the state that the interrupted one was to reach."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lab import backend, lifecycle
from lab.command import run
from lab.config import DEFAULT_SUBNET, PROJECT, Lab
from tests.lab.stack import Stack, kernel_traces
from tests.own_lab import PROGRESS, own_lab

SEED = int(os.environ.get("SEED") or random.randrange(1_000_000))
ROUNDS = int(os.environ.get("ROUNDS") or 1)


def command(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `python -m lab` as the leader of a process group, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments],
        cwd=PROJECT,
        env={**os.environ, "MULTI_TIER_LAB": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def completed(root: Path, *arguments: str) -> float:
    """Run a command to its end, which must be good; return its seconds."""
    began = time.monotonic()
    process = command(root, *arguments)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return time.monotonic() - began


def kill(root: Path, seconds: float, *arguments: str) -> None:
    """Kill a command and everything in its process group after some seconds."""
    process = command(root, *arguments)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def stack_of(root: Path) -> Stack:
    return Stack(Lab.at(root, DEFAULT_SUBNET), PROJECT / "stacks" / "Pulumi.lab.yaml")


def assert_serving(root: Path) -> None:
    stack = stack_of(root)
    assert stack.answers()
    assert stack.preview() == []
    assert backend.pending_operations(stack.lab, stack.stack) == []
    assert processes_of(root, "pulumi") == []


def assert_gone(root: Path) -> None:
    assert kernel_traces(Lab.at(root, DEFAULT_SUBNET)) == []
    assert processes_of(root) == []
    assert not root.exists()


def processes_of(root: Path, *words: str) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listing if str(root) in line and all(word in line for word in words)]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """The directory of a lab whose programs are there and that doesn't run."""
    with own_lab() as lab:
        lifecycle.install(lab, PROGRESS)
        yield lab.root


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """How long a whole `up` and `down` take, which the first test notes."""
    return {}


def test_of_two_ups_at_once_one_works_and_the_other_is_refused(root: Path, seconds: dict[str, float]) -> None:
    began = time.monotonic()
    both = [command(root, "up") for _ in range(2)]
    outputs = [process.communicate(timeout=600)[0] for process in both]
    seconds["up"] = time.monotonic() - began
    [refused] = [output for process, output in zip(both, outputs, strict=True) if process.returncode]
    assert "is starting, stopping or changing the lab in" in refused
    assert_serving(root)
    seconds["down"] = completed(root, "down")


def test_ups_and_downs_that_are_killed_at_random_points_are_completed_by_one_more(
    root: Path, seconds: dict[str, float]
) -> None:
    points = random.Random(SEED)
    up, down = seconds["up"], seconds["down"]
    for number in range(ROUNDS):
        moments = points.uniform(0, up), points.uniform(0, up), points.uniform(0, down)
        PROGRESS.console.print(
            f"SEED={SEED}, round {number}: killed after {', '.join(f'{one:.2f} s' for one in moments)}"
        )
        kill(root, moments[0], "up")
        kill(root, moments[1], "up")
        completed(root, "up")
        assert_serving(root)
        kill(root, moments[2], "down")
        completed(root, "down")
        assert_gone(root)


@contextmanager
def full(root: Path) -> Iterator[None]:
    """Fill the file system with a directory."""
    filler = root / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))
        yield
    finally:
        filler.unlink()


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lab's directory on a file system of its own."""
    place = tmp_path_factory.mktemp("small")
    run("mount", "-t", "tmpfs", "-o", "size=2g,mode=700", "tmpfs", place)
    try:
        yield place / "lab"
    finally:
        lifecycle.stop(Lab.at(place / "lab", DEFAULT_SUBNET), PROGRESS)
        run("umount", place)


def test_a_lab_whose_disk_was_full_works_again_once_it_has_room(small: Path) -> None:
    completed(small, "up")
    with full(small):
        assert stack_of(small).run("up", "--yes", "--stack", "lab", "--refresh").returncode != 0
        refused = command(small, "up")
        assert "No space left on device" in refused.communicate(timeout=600)[0]
        assert refused.returncode == 1
    completed(small, "up")
    assert_serving(small)
    completed(small, "down")
    assert_gone(small)
