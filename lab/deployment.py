"""Running the Pulumi program on the lab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from lab import environment
from lab.command import run
from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.host.control_groups import group_of

# Several times what 2+2+1 guests take to start on two busy cores.
_UP_SECONDS = 900.0
_DESTROY_SECONDS = 300.0


def pulumi(lab: Lab, *arguments: str, timeout: float = _UP_SECONDS) -> None:
    """Run the Pulumi CLI on the lab, with its output on this terminal.

    It runs in a control group, because a killed engine leaves its plugins behind.

    Raises:
        LabError: It failed or took too long.
    """
    words = " ".join(("pulumi", *arguments))
    quiet = [] if sys.stdout.isatty() else ["--non-interactive"]
    group = group_of(lab, "pulumi")
    group.create()
    command = group.enter([str(lab.binaries / "pulumi"), *quiet, *arguments])
    # Leave Ctrl-C to the engine, which then finishes what it is doing and saves its state.
    former = signal.signal(signal.SIGINT, lambda *_: None)
    process = subprocess.Popen(command, cwd=PROJECT, env=environment.process_environment(lab))
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        next_step = "Find the cause with `.venv/bin/python -m lab status`."
        raise LabError(f"`{words}` took longer than {timeout:.0f} s. {next_step}") from None
    finally:
        group.kill()
        process.wait()
        signal.signal(signal.SIGINT, former)
    if code != 0:
        raise LabError(f"`{words}` failed (see above). Fix the cause and run the same command again.")


def remove_stale_locks(lab: Lab) -> None:
    """Remove the backend's locks that an engine left when it was killed."""
    for path in lab.backend.glob(".pulumi/locks/**/*.json"):
        try:
            owner = json.loads(path.read_text())["pid"]
        except (OSError, ValueError, KeyError):
            continue
        if not Path(f"/proc/{owner}").exists():
            path.unlink(missing_ok=True)


def up(lab: Lab, stack: str) -> None:
    """Run `pulumi up` on a stack, which continues where an interrupted run stopped.

    Raises:
        LabError: It failed.
    """
    remove_stale_locks(lab)
    pulumi(lab, "stack", "select", "--create", stack)
    pulumi(lab, "up", "--stack", stack, "--yes", "--skip-preview", "--suppress-progress")


def destroy(lab: Lab) -> None:
    """Run `pulumi destroy` on each of the lab's stacks.

    Raises:
        LabError: It failed.
    """
    remove_stale_locks(lab)
    for stack in stacks(lab):
        arguments = ("--stack", stack, "--yes", "--skip-preview", "--suppress-progress")
        pulumi(lab, "destroy", *arguments, timeout=_DESTROY_SECONDS)


def stacks(lab: Lab) -> list[str]:
    """Return the names of the lab's stacks."""
    return sorted({path.stem for path in lab.backend.glob(".pulumi/stacks/*/*.json")})


def outputs(lab: Lab, stack: str) -> dict[str, object]:
    """Return a stack's outputs.

    Raises:
        LabError: The lab or the stack does not exist.
    """
    engine = lab.binaries / "pulumi"
    if not os.access(engine, os.X_OK):
        raise LabError(f"There is no lab in {lab.root}. Create it with `make lab`.")
    command = (engine, "--non-interactive", "stack", "output", "--json", "--stack", stack)
    variables = environment.process_environment(lab)
    output = run(*command, cwd=PROJECT, env=variables, failure=f"Stack {stack} has no outputs")
    found: dict[str, object] = json.loads(output)
    return found
