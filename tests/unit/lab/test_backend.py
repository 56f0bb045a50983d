"""What a killed engine leaves in the backend is found and resolved; a torn file is a clear message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kube.resources import Object
from lab import backend, environment
from lab.config import DEFAULT_SUBNET, GuestKind, Lab
from lab.errors import LabError
from state.store import StackName, Store
from tests.lab.stack import wait_until


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    found = Lab(tmp_path / "a lab", DEFAULT_SUBNET)
    (found.backend / ".pulumi/locks/organization/multi-tier/lab").mkdir(parents=True)
    (found.backend / ".pulumi/stacks/multi-tier").mkdir(parents=True)
    return found


def resource(kind: str, name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "tiers"}
    return {"type": f"kubernetes:group/v1:{kind}", "inputs": {"kind": kind, "metadata": metadata}}


def state_file(lab: Lab, stack: str = "lab") -> Path:
    return lab.backend / ".pulumi/stacks/multi-tier" / f"{stack}.json"


def save(lab: Lab, resources: list[Object], pending: list[tuple[str, Object]] = [], stack: str = "lab") -> None:  # noqa: B006
    operations = [{"type": operation, "resource": item} for operation, item in pending]
    latest = {"resources": resources, "pending_operations": operations}
    state_file(lab, stack).write_text(json.dumps({"checkpoint": {"latest": latest}}))


def lock(lab: Lab, text: str) -> Path:
    path = lab.backend / ".pulumi/locks/organization/multi-tier/lab/1234.json"
    path.write_text(text)
    return path


@pytest.fixture
def engine(lab: Lab, tmp_path: Path) -> Iterator[int]:
    """A running program with the engine's name and the lab's settings."""
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"], env=environment.variables(lab)) as process:
        # The kernel fills it in a moment after the program has started.
        wait_until("the program's environment", lambda: bool(Path(f"/proc/{process.pid}/environ").read_bytes()), 5)
        yield process.pid
        process.kill()


def test_objects_whose_creation_was_interrupted_and_that_no_stack_has_are_orphans(lab: Lab) -> None:
    web = [resource("VirtualMachine", f"web-{number}") for number in range(4)]
    pending = [("creating", item) for item in web]
    pending += [
        ("updating", resource("Service", "web")),
        ("creating", resource("DataVolume", "data")),
        ("creating", resource("Namespace", "tiers")),
        ("creating", {"type": "random:index/randomPassword:RandomPassword", "inputs": {"length": 32}}),
    ]
    save(lab, [{"type": "pulumi:pulumi:Stack"}, web[0], resource("Service", "web-1")], pending)
    save(lab, [web[2]], stack="scaled")
    assert [one["metadata"]["name"] for one in backend.orphans(lab, "lab")] == ["web-1", "web-3"]
    assert backend.orphans(lab, "scaled") == backend.orphans(lab, "none") == []
    assert backend.stacks(lab) == ["lab", "scaled"]


def test_a_new_stack_is_empty(lab: Lab) -> None:
    state_file(lab).write_text('{"version": 3, "checkpoint": {"stack": "lab", "latest": null}}')
    assert backend.pending_operations(lab, "lab") == []


@pytest.mark.parametrize("text", ["", "null", '{"checkpoint": {"latest": {"resou'])
def test_a_torn_state_is_a_message_with_the_command_that_restores_it(lab: Lab, text: str) -> None:
    state_file(lab).write_text(text)
    former = state_file(lab).with_name("lab.json.bak")
    with pytest.raises(LabError, match="The state of stack lab can't be read") as failure:
        backend.orphans(lab, "lab")
    command = f"cp '{former}' '{state_file(lab)}'"
    assert f"run {command}, then `make lab`" in str(failure.value)
    former.write_text('{"checkpoint": {"latest": {}}}')
    subprocess.run(["sh", "-c", command], check=True)
    assert backend.orphans(lab, "lab") == []


@pytest.mark.parametrize("text", ["", "{", "null", '{"pid": 999999999}'])
def test_a_lock_without_its_engine_is_removed_even_if_it_is_torn(lab: Lab, text: str) -> None:
    path = lock(lab, text)
    backend.remove_stale_locks(lab)
    assert not path.exists()


@pytest.mark.parametrize("text", ["", '{"md5":'])
def test_torn_files_without_which_pulumi_can_do_are_removed_and_no_others(lab: Lab, text: str) -> None:
    save(lab, [])
    torn = [state_file(lab).with_name(name) for name in ("lab.json.attrs", "lab.json.18eb.tmp")]
    torn.append(lab.plugins.with_name("workspaces") / "a-workspace.json")
    for path in torn:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    whole = state_file(lab, "other").with_name("other.json.attrs")
    whole.write_text("{}")
    backend.remove_torn_files(lab)
    assert not [path for path in torn if path.exists()]
    assert whole.exists()
    assert state_file(lab).exists()


def test_the_lock_of_another_process_with_the_engines_number_is_removed(lab: Lab) -> None:
    path = lock(lab, json.dumps({"pid": os.getpid()}))
    backend.remove_stale_locks(lab)
    assert not path.exists()


def test_no_lock_of_a_running_engine_is_removed(lab: Lab, engine: int) -> None:
    assert backend.engines(lab) == {engine}
    assert backend.engines(Lab(lab.root.parent / "other", DEFAULT_SUBNET)) == set()
    for text in ("", json.dumps({"pid": engine})):
        path = lock(lab, text)
        backend.remove_stale_locks(lab)
        assert path.exists()


def running(lab: Lab) -> set[int]:
    return {int(process.name) for process in backend._providers(lab)}


def test_only_providers_that_outlived_their_engine_are_killed(lab: Lab, tmp_path: Path) -> None:
    provider = lab.plugins / "resource-kubernetes" / "provider"
    provider.parent.mkdir(parents=True)
    provider.symlink_to("/bin/sleep")
    start = "import subprocess, sys, time; print(subprocess.Popen([sys.argv[1], '60']).pid, flush=True); time.sleep(60)"

    def parent(name: str) -> tuple[subprocess.Popen[str], int]:
        program = tmp_path / name
        program.symlink_to(sys.executable)
        process = subprocess.Popen([str(program), "-c", start, str(provider)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        return process, int(process.stdout.readline())

    engine, owned = parent("pulumi")
    killed, orphan = parent("other")
    killed.kill()
    killed.wait()
    try:
        backend.kill_orphaned_providers(lab)
        wait_until("only the orphan ends", lambda: running(lab) == {owned}, 5)
        backend.kill_providers(lab)
        wait_until("the other one ends, too", lambda: running(lab) == set(), 5)
    finally:
        for pid in (owned, orphan):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        engine.kill()
        engine.wait()


def test_a_killed_update_with_a_journal_is_ended_and_what_it_had_begun_is_known(lab: Lab) -> None:
    simulated = replace(lab, kind=GuestKind.SIMULATED)
    simulated.state_token.write_text("a-token\n")
    assert environment.variables(simulated)["PULUMI_BACKEND_URL"] == simulated.state_service
    assert environment.variables(simulated)["PULUMI_ACCESS_TOKEN"] == "a-token"

    stack, store = StackName("multi-tier", "lab"), Store(simulated.backend)
    store.create(stack)
    store.begin(stack, "killed")
    pending = {"type": "creating", "resource": resource("VirtualMachine", "web-0")}
    store.append(stack, "killed", [{"kind": 0, "sequenceID": 1, "operationID": 1, "operation": pending}])
    backend.remove_stale_locks(simulated)
    assert backend.pending_operations(simulated, "lab") == [pending]
    assert [one["metadata"]["name"] for one in backend.orphans(simulated, "lab")] == ["web-0"]
    assert store.running(stack) is None


def test_outputs_are_those_of_the_stack(lab: Lab) -> None:
    stack = {"type": "pulumi:pulumi:Stack", "outputs": {"url": "http://web.tiers/"}}
    save(lab, [stack, {**resource("Service", "web"), "outputs": {"url": "http://other/"}}])

    assert backend.outputs(lab, "lab") == {"url": "http://web.tiers/"}


def test_a_stack_that_is_not_deployed_has_no_outputs(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"Stack lab isn't deployed in .* Deploy it with `make lab`"):
        backend.outputs(lab, "lab")
