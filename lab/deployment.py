"""Running the Pulumi program on the lab."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from kube import client
from lab import backend, environment, lock
from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.host.control_groups import group_of

# Several times what 2+2+1 guests take to start on two busy cores.
_UP_SECONDS = 900.0
_DESTROY_SECONDS = 300.0
_DELETION_SECONDS = 90.0  # longer than a guest may take to shut down
_UNATTENDED = ("--yes", "--skip-preview", "--suppress-progress")


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


def up(lab: Lab, stack: str, *options: str) -> None:
    """Run `pulumi up` on a stack, also where an earlier one was killed, or where somebody has changed objects.

    Args:
        lab: The lab.
        stack: The stack's name.
        options: More options of `pulumi up`.

    Raises:
        LabError: It failed, or another command is changing the lab.
    """
    with lock.held(lab):
        _clean_up(lab)
        pulumi(lab, "stack", "select", "--create", stack)
        _resolve_pending(lab, stack)
        pulumi(lab, "up", "--stack", stack, *_UNATTENDED, "--refresh", *options)


def destroy(lab: Lab, *stacks: str) -> None:
    """Run `pulumi destroy` on some of the lab's stacks, by default on all, also where an earlier one was killed.

    Raises:
        LabError: It failed, or another command is changing the lab.
    """
    with lock.held(lab):
        _clean_up(lab)
        for stack in stacks or backend.stacks(lab):
            with _without_new_stack_file(stack):
                _resolve_pending(lab, stack)
                pulumi(lab, "destroy", "--stack", stack, *_UNATTENDED, timeout=_DESTROY_SECONDS)


@contextmanager
def _without_new_stack_file(stack: str) -> Iterator[None]:
    """Remove the file that Pulumi writes to `stacks/`, with the salt alone, if the stack has none there."""
    path = PROJECT / "stacks" / f"Pulumi.{stack}.yaml"
    existed = path.exists()
    try:
        yield
    finally:
        if not existed:
            path.unlink(missing_ok=True)


def _clean_up(lab: Lab) -> None:
    """Remove what engines left behind when they were killed, after ending those whose command was killed.

    Raises:
        LabError: One runs that the user has started, whose operations must not be taken for interrupted ones.
    """
    group_of(lab, "pulumi").kill()
    if running := backend.engines(lab):
        processes = ", ".join(map(str, sorted(running)))
        raise LabError(f"Pulumi already runs on this lab (process {processes}). Wait until it ends, or stop it.")
    backend.kill_orphaned_providers(lab)
    backend.remove_stale_locks(lab)
    backend.remove_torn_files(lab)


def _resolve_pending(lab: Lab, stack: str) -> None:
    """Delete the objects whose creation was interrupted before the state had them, and forget these operations.

    The update creates them again, if the program still has them. An adopted machine would run with the settings of the
    killed update.

    Raises:
        LabError: An object is still there after a while.
    """
    if not backend.pending_operations(lab, stack):
        return
    cluster, orphans = client.connect(lab.kubeconfig), backend.orphans(lab, stack)
    found = [(cluster.resource_of(one), one["metadata"]["name"], one["metadata"].get("namespace")) for one in orphans]
    found = [one for one in found if cluster.find(*one)]
    for resource, name, namespace in found:
        typer.echo(f"Deleting {resource.plural} {name}, which an interrupted update created.")
        cluster.delete(resource, name, namespace)
    deadline = time.monotonic() + _DELETION_SECONDS
    while left := [one for one in found if cluster.find(*one)]:
        if time.monotonic() > deadline:
            raise LabError(f"{left[0][1]} is still being deleted. See `.venv/bin/python -m lab status`.")
        time.sleep(0.2)
    pulumi(lab, "refresh", "--stack", stack, *_UNATTENDED, "--clear-pending-creates")
