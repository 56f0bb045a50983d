"""The lab recovers from killed components, and stopping it leaves nothing, whatever its state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import httpx
import pytest

from kube.resources import SERVICES, VIRTUAL_MACHINES
from lab import backend, deployment, environment, lifecycle, repair
from lab.cluster import supervisor
from lab.cluster.stages import stages
from lab.config import PROJECT, Lab
from lab.host import network
from lab.host.control_groups import Group
from lab.toolchain import image
from tests.lab.stack import NAME, RPS, Stack, kernel_traces, wait_until
from tests.own_lab import PROGRESS, own_lab

# Wherever a path is written into a file, a command or a URL, each of these characters needs care.
PLACE = 'a lab\'s, "100%" place'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose guests install their own packages, on a separate lab that the tests may break."""
    configuration = tmp_path_factory.mktemp("plain") / "Pulumi.lab.yaml"
    text = (PROJECT / "stacks" / "Pulumi.lab.yaml").read_text()
    configuration.write_text(text.replace(image.GOLDEN, image.PLAIN).replace("rps: 50", f"rps: {RPS}"))
    with own_lab(name=PLACE, uplink=True) as installed:
        lab = lifecycle.start(installed, PROGRESS)
        image.ensure(lab, image.PLAIN, PROGRESS)
        stack = Stack(lab, configuration)
        assert stack.run("stack", "select", "--create", "lab").returncode == 0
        yield stack


def kill(lab: Lab, name: str) -> None:
    pid = supervisor.find(lab, name)
    assert pid, f"{name} runs"
    os.kill(pid, signal.SIGKILL)
    wait_until(f"{name} is gone", lambda: supervisor.find(lab, name) != pid, 5)


def all_ready(lab: Lab) -> bool:
    return all(component.ready() is None for component in chain.from_iterable(stages(lab)))


def status(lab: Lab) -> subprocess.CompletedProcess[str]:
    variables = {"MULTI_TIER_LAB": str(lab.root), "MULTI_TIER_LAB_SUBNET": str(lab.subnet), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "lab", "status"],
        cwd=PROJECT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def balance(stack: Stack) -> int:
    with stack.database() as database:
        [found] = database.execute("SELECT sum(abalance) FROM pgbench_accounts").fetchone() or [None]
    assert isinstance(found, int)
    return found


def start_again(stack: Stack) -> None:
    lifecycle.start(stack.lab, PROGRESS)


def up(stack: Stack) -> None:
    """Do what `make lab` does on a lab that runs."""
    repair.restart_failed_guests(stack.lab, stack.cluster, PROGRESS)
    deployment.up(stack.lab, "lab", "--config-file", str(stack.configuration))


def machines(stack: Stack) -> set[str]:
    return {machine["metadata"]["name"] for machine in stack.cluster.list(VIRTUAL_MACHINES)[0]}


def scale(stack: Stack, replicas: int) -> None:
    for tier in ("application", "web"):
        stack.configure(f"multi-tier:{tier}.replicas", replicas)
        stack.configure(f"multi-tier:{tier}.maxUnavailable", "100%")


def test_a_killed_up_is_resolved_and_guests_install_missing_packages(stack: Stack) -> None:
    lab = stack.lab
    scale(stack, 2)
    command = ["up", "--yes", "--skip-preview", "--stack", "lab", "--config-file", str(stack.configuration)]
    first = subprocess.Popen(
        [str(lab.binaries / "pulumi"), "--non-interactive", *command],
        cwd=PROJECT,
        env=environment.process_environment(lab),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until("both application machines are being created", lambda: len(machines(stack)) == 3, 180)
    first.kill()
    first.wait()
    assert len(backend.pending_operations(lab, "lab")) == 2
    assert providers(lab), "the engine's providers live on"
    scale(stack, 1)
    up(stack)
    assert machines(stack) == {f"{NAME}-{tier}-0" for tier in ("database", "application", "web")}
    assert backend.pending_operations(lab, "lab") == []
    assert providers(lab) == []
    wait_until("the web Service answers", stack.answers, 5)


def providers(lab: Lab) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if line.startswith(str(lab.plugins))]


def test_a_deleted_object_and_a_guest_with_a_failed_unit_are_repaired(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = f"{NAME}-application-0"
    before = {name: stack.instance_uid(name) for name in machines(stack)}
    stack.cluster.delete(SERVICES, f"{NAME}-application", NAME)
    broken = "[Service]\nRestart=no\nExecStartPre=/bin/false\n"
    override = "/run/systemd/system/virtwork-app.service.d/broken.conf"
    script = f"mkdir -p {override.rpartition('/')[0]}; printf '{broken}' > {override}; systemctl daemon-reload"
    repair.run_in_guest(stack.lab, before[machine], "sh", "-c", f"{script}; systemctl restart virtwork-app || true")
    wait_until("the machine isn't ready", lambda: not stack.machine_ready(machine), 30)
    up(stack)
    assert f"Restarting {machine}: virtwork-app.service failed in its guest." in capsys.readouterr().out
    after = {name: stack.instance_uid(name) for name in machines(stack)}
    assert {name for name in after if after[name] != before[name]} == {machine}

    def served() -> bool:
        with stack.client() as client:
            return client.get("/api/v1/accounts/1").status_code == httpx.codes.OK

    # The new Service has another address, which nginx learns when its name is resolved again.
    wait_until("requests reach the application by its new Service", served, 20)


def test_a_killed_node_agent_adopts_its_guests_again(stack: Stack) -> None:
    before = {tier: stack.instance_uid(f"{NAME}-{tier}-0") for tier in ("database", "application", "web")}
    kill(stack.lab, "node-agent")
    assert stack.answers(), "guests keep serving without the agent"
    wait_until("the agent runs again", lambda: all_ready(stack.lab))
    with stack.client() as client:
        assert client.get("/api/v1/accounts/1").status_code == 200
    assert {tier: stack.instance_uid(f"{NAME}-{tier}-0") for tier in before} == before


def test_a_killed_control_plane_restarts_by_itself_with_its_state(stack: Stack) -> None:
    for name in ("kube-apiserver", "etcd", "virt-api", "virt-controller", "kube-proxy"):
        kill(stack.lab, name)
    wait_until("all components are ready", lambda: all_ready(stack.lab), 180)
    assert stack.preview() == []
    with stack.client() as client:
        assert client.get("/api/v1/accounts/1").status_code == 200


def test_starting_a_running_lab_restarts_nothing(stack: Stack) -> None:
    before = {name: process.pid for name, process in supervisor.processes(stack.lab).items()}
    start_again(stack)
    time.sleep(2)  # kube-proxy notices a touched configuration file within a second
    assert {name: process.pid for name, process in supervisor.processes(stack.lab).items()} == before
    assert None not in before.values()


def test_status_names_a_stopped_component(stack: Stack) -> None:
    supervisor.stop(stack.lab, "coredns")
    done = status(stack.lab)
    assert done.returncode == 1
    assert "stopped: `.venv/bin/python -m lab start coredns`" in done.stdout
    assert f"{NAME}-database-0" in done.stdout


def test_status_shows_why_a_component_ends_again_and_again_and_a_start_mends_it(stack: Stack) -> None:
    (stack.lab.root / "Corefile").write_text(". {\n    no-such-plugin\n}\n")
    supervisor.start(stack.lab, "coredns")
    wait_until("coredns ends", lambda: supervisor.processes(stack.lab)["coredns"].ends >= 2)
    wait_until("status shows why", lambda: "no-such-plugin" in status(stack.lab).stdout)
    start_again(stack)
    assert status(stack.lab).returncode == 0


def test_a_killed_supervisord_is_started_again_with_the_components(stack: Stack) -> None:
    with stack.client() as client:
        os.kill(int((stack.lab.supervision / "supervisord.pid").read_text()), signal.SIGKILL)
        wait_until("no component runs", lambda: not supervisor.processes(stack.lab))
        assert client.get("/api/v1/accounts/1").status_code == httpx.codes.OK, "guests keep serving"
    assert "supervisord" in status(stack.lab).stdout
    start_again(stack)
    assert status(stack.lab).returncode == 0


def test_after_a_reboot_the_lab_comes_back_with_its_data(stack: Stack) -> None:
    with stack.client() as client:
        assert client.post("/api/v1/accounts/1", json={"delta": 7}).status_code == httpx.codes.OK
    before = balance(stack)
    lifecycle.kill_all(stack.lab)
    Group(stack.lab.name).remove()
    network.down(stack.lab)
    start_again(stack)
    up(stack)
    wait_until("a request passes through all tiers", stack.serves, 180)
    assert balance(stack) == before
    wait_until("everything is ready", lambda: status(stack.lab).returncode == 0)


def test_stopping_a_killed_lab_leaves_nothing(stack: Stack) -> None:
    for process in supervisor.processes(stack.lab).values():
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
    lifecycle.stop(stack.lab, PROGRESS)
    assert kernel_traces(stack.lab) == []
    assert not stack.lab.root.exists()
    mine = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _mentions(path, stack.lab.root)]
    assert mine == []


def _mentions(path: Path, root: Path) -> bool:
    try:
        return str(root).encode() in path.read_bytes()
    except OSError:
        return False
