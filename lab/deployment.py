"""Running the Pulumi program on the lab, as a person would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import environment
from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.host.control_groups import group_of

# Several times what the lab needs to bring up 2+2+1 guests on two busy cores.
_UP_SECONDS = 900.0
_DESTROY_SECONDS = 300.0


def pulumi(lab: Lab, *arguments: str, timeout: float = _UP_SECONDS) -> None:
    """Run the Pulumi CLI on the lab, its output on this terminal.

    It runs in a control group of the lab's, for the engine leaves its plugins behind when it is killed.

    Raises:
        LabError: it failed, or ran out of time.
    """
    words = " ".join(("pulumi", *arguments))
    # A log gets the result; a terminal also gets the engine's live view.
    quiet = [] if sys.stdout.isatty() else ["--non-interactive"]
    group = group_of(lab, "pulumi")
    group.create()
    command = group.enter([str(lab.binaries / "pulumi"), *quiet, *arguments])
    with _interrupts_left_to_child():
        process = subprocess.Popen(command, cwd=PROJECT, env=environment.process_environment(lab))
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"`{words}` took longer than {timeout:.0f} s. See `python -m lab status`.") from None
        finally:
            group.kill()
            process.wait()
    if code != 0:
        raise LabError(f"`{words}` failed (see above). Mend what it says and run the same command again.")


@contextmanager
def _interrupts_left_to_child() -> Iterator[None]:
    """Let Ctrl-C reach only the engine, which then ends in good order and writes its state."""
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def remove_dead_locks(lab: Lab) -> None:
    """Remove the backend's locks whose owner, a process of this machine, is gone: an `up` that was killed."""
    for path in environment.backend(lab).glob(".pulumi/locks/**/*.json"):
        try:
            owner = json.loads(path.read_text())["pid"]
        except (OSError, ValueError, KeyError):
            continue
        if not Path(f"/proc/{owner}").exists():
            path.unlink(missing_ok=True)


def up(lab: Lab, stack: str) -> None:
    """Bring a stack up; goes on where an interrupted run stopped.

    Raises:
        LabError: `pulumi up` failed.
    """
    remove_dead_locks(lab)
    pulumi(lab, "stack", "select", "--create", stack)
    pulumi(lab, "up", "--stack", stack, "--yes", "--skip-preview", "--suppress-progress")


def destroy(lab: Lab) -> None:
    """Destroy every stack that has resources on the lab.

    Raises:
        LabError: `pulumi destroy` failed.
    """
    stacks = environment.backend(lab).glob(".pulumi/stacks/*/*.json")
    remove_dead_locks(lab)
    for stack in sorted({path.stem for path in stacks}):
        arguments = ("--stack", stack, "--yes", "--skip-preview", "--suppress-progress")
        pulumi(lab, "destroy", *arguments, timeout=_DESTROY_SECONDS)


def outputs(lab: Lab, stack: str) -> dict[str, object]:
    """Return a stack's outputs.

    Raises:
        LabError: there is no lab, or no such stack on it.
    """
    if not has_engine(lab):
        raise LabError(f"There is no lab in {lab.root}. `make lab` makes one.")
    done = subprocess.run(
        [str(lab.binaries / "pulumi"), "--non-interactive", "stack", "output", "--json", "--stack", stack],
        cwd=PROJECT,
        env=environment.process_environment(lab),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"No outputs of stack {stack}: {done.stderr.strip()}")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def has_engine(lab: Lab) -> bool:
    """Whether the lab has been installed."""
    return os.access(lab.binaries / "pulumi", os.X_OK)


def has_stacks(lab: Lab) -> bool:
    """Whether any stack was made on the lab."""
    return has_engine(lab) and any(environment.backend(lab).glob(".pulumi/stacks/*/*.json"))
