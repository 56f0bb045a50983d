"""Machines on a real node: consoles, network policies, reboots, crashes, deletions and drains."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest

from cloudinit.constants import DATABASE_PORT
from kube.errors import StatusError
from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, Object, Resource
from tests.lab.stack import NAME, Stack, wait_until
from tests.machines.machine import BOOT_SECONDS, Machine, kubectl

SELECTOR = f"vm.kubevirt.io/name={NAME}-database-0"


@pytest.fixture
def database(stack: Stack) -> Machine:
    return machine(stack, "database")


@pytest.fixture
def application(stack: Stack) -> Machine:
    return machine(stack, "application")


@pytest.fixture
def web(stack: Stack) -> Machine:
    return machine(stack, "web")


def machine(stack: Stack, tier: str) -> Machine:
    return Machine(stack.lab, f"{NAME}-{tier}-0", key=stack.configuration.with_name("key"))


def balance(stack: Stack, account: int) -> int:
    with stack.client() as client:
        found: int = client.get(f"/api/v1/accounts/{account}").json()["balance"]
    return found


def connects(client: Machine, server: Machine, port: int) -> bool:
    """Whether a guest gets a TCP connection to another one."""
    address = server.vmi()["status"]["interfaces"][0]["ipAddress"]
    answer = client.ssh(f"timeout 10 bash -c '</dev/tcp/{address}/{port}' && echo connected || echo refused")
    assert answer in ("connected", "refused")
    return answer == "connected"


def test_no_request_fails_in_a_minute_of_load(stack: Stack, tmp_path: Path) -> None:
    # With emulated processors, a slow host gets no more than 6 to 12 requests a second through the tiers.
    done = stack.measure("run", "--rps", "2", "--for", "60s", "--results", str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    [summary] = tmp_path.glob("*/summary.json")
    delivery = json.loads(summary.read_text())["delivery"]
    assert (delivery["sent"], delivery["errors"]) == (120, 0)


def test_a_machine_has_the_processors_and_the_memory_that_it_asks_for(web: Machine) -> None:
    processors, kibibytes = web.ssh("nproc; awk '/MemTotal/ {print $2}' /proc/meminfo").split()
    _, command = web.qemu()

    assert processors == "1"
    # The kernel keeps some for itself.
    assert 440 < int(kibibytes) / 1024 <= 512
    assert command[command.index("-m") + 1] == "size=524288k"


def test_the_serial_console_offers_a_login(web: Machine) -> None:
    assert f"{web.name} login:" in web.console("\r", "login: $")


def test_the_guest_agent_reports_the_guests_system(application: Machine) -> None:
    wait_until("the agent is connected", lambda: application.condition("AgentConnected") == "True", 60)
    found = json.loads(application.subresource("GET", "guestosinfo"))

    assert found["os"]["id"] == "debian"
    assert found["hostname"] == application.name


def test_only_the_tier_in_front_of_a_tier_connects_to_it(database: Machine, application: Machine, web: Machine) -> None:
    assert connects(application, database, DATABASE_PORT)
    assert not connects(web, database, DATABASE_PORT)


def test_a_paused_machine_does_nothing_until_it_is_unpaused(application: Machine, stack: Stack) -> None:
    application.subresource("PUT", "pause")
    try:
        wait_until("it is paused", lambda: application.condition("Paused") == "True", 30)
        assert not stack.serves()
    finally:
        application.subresource("PUT", "unpause")
    wait_until("requests pass again", stack.serves, 60)


@pytest.mark.reboots
def test_a_crashed_and_a_deleted_instance_are_followed_by_others(
    application: Machine, web: Machine, stack: Stack
) -> None:
    # Both at once: a boot takes minutes where processors are emulated.
    crashed, deleted = application.uid, web.uid
    process, _ = application.qemu()
    os.kill(process, signal.SIGKILL)
    web.cluster.delete(VIRTUAL_MACHINE_INSTANCES, web.name, web.namespace)

    application.wait_replaced(crashed)
    web.wait_replaced(deleted)
    wait_until("it serves again", stack.serves, 60)


@pytest.mark.reboots
def test_draining_the_node_shuts_the_database_down_in_its_grace_time_and_keeps_the_data(
    database: Machine, application: Machine, stack: Stack
) -> None:
    """The application is rebooted from inside meanwhile, which keeps its instance."""

    def boot() -> str:
        return application.ssh("cat /proc/sys/kernel/random/boot_id")

    # A machine is ready before its sshd has started.
    wait_until("the application's sshd responds", lambda: boot() != "", BOOT_SECONDS)
    with stack.client() as client:
        assert client.post("/api/v1/accounts/7", json={"delta": 11}).is_success
    before, kept = database.uid, balance(stack, 7)
    same, former = application.uid, boot()
    grace = database.vmi()["spec"]["terminationGracePeriodSeconds"]
    log = ["logs", "-n", database.namespace, database.pod()["metadata"]["name"], "-c", "guest-console-log", "--follow"]
    drain = ["drain", "lab", "--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--pod-selector={SELECTOR}"]
    try:
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(kubectl, stack.lab, *log)
            started = time.monotonic()
            kubectl(stack.lab, *drain)
            assert time.monotonic() - started < grace
        assert "Power down" in written.result(), "the guest shut itself down"
    finally:
        kubectl(stack.lab, "uncordon", "lab")
    application.ssh("sudo systemctl reboot")

    database.wait_replaced(before)
    wait_until("the application has booted again", lambda: boot() not in ("", former), BOOT_SECONDS)
    wait_until("it serves again", stack.serves, BOOT_SECONDS)
    assert balance(stack, 7) == kept
    assert application.uid == same


def test_evicting_a_machine_without_a_data_disk_asks_for_its_migration(application: Machine) -> None:
    before, pod = application.uid, application.pod()["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    with pytest.raises(StatusError) as refused:
        application.cluster.request("POST", PODS.path(application.namespace, pod, "eviction"), eviction)

    assert refused.value.status == HTTPStatus.TOO_MANY_REQUESTS
    migrations = Resource("kubevirt.io/v1", "virtualmachineinstancemigrations")

    def requested() -> list[Object]:
        found = application.cluster.list(migrations, application.namespace)[0]
        return [one for one in found if one["spec"]["vmiName"] == application.name]

    wait_until("virt-controller migrates it", lambda: bool(requested()), 30)
    for migration in requested():
        application.cluster.delete(migrations, migration["metadata"]["name"], application.namespace)
    assert application.uid == before
