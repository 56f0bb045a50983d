"""Guests of the lab: logins by key alone, and the figures of the database's disk."""

from __future__ import annotations

import subprocess

import pytest

from kube.resources import VIRTUAL_MACHINE_INSTANCES
from tests.lab.stack import NAME, Stack, wait_until


def ssh(
    stack: Stack, machine: str, user: str, *command: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    address = stack.cluster.get(VIRTUAL_MACHINE_INSTANCES, machine, NAME)["status"]["interfaces"][0]["ipAddress"]
    defaults = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "ConnectTimeout=10")
    return subprocess.run(
        ["ssh", "-F", "none", *(f"-o{option}" for option in (*defaults, *options)), f"{user}@{address}", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("tier", ["database", "application", "web"])
def test_the_configured_user_logs_in_with_the_key_and_uses_sudo(stack: Stack, tier: str) -> None:
    key = (f"IdentityFile={stack.configuration.with_name('key')}",)

    def whoami() -> str:
        return ssh(stack, f"{NAME}-{tier}-0", "ann", "sudo -n id -un; hostname", options=key).stdout

    # A machine is ready before its sshd has started.
    wait_until(f"ann logs in to {tier}", lambda: whoami() == f"root\n{NAME}-{tier}-0\n", 30)


def test_the_configured_user_reads_what_a_unit_logs(stack: Stack) -> None:
    key = (f"IdentityFile={stack.configuration.with_name('key')}",)
    read = ssh(stack, f"{NAME}-application-0", "ann", "sudo journalctl -u virtwork-app", options=key)
    assert "Started virtwork-app.service" in read.stdout


@pytest.mark.parametrize("user", ["ann", "root", "debian"])
def test_no_user_logs_in_without_the_key(stack: Stack, user: str) -> None:
    done = ssh(stack, f"{NAME}-web-0", user, "true", options=("IdentityFile=none",))

    assert done.returncode == 255
    # Nor does sshd ask for a password.
    assert "Permission denied (publickey)." in done.stderr


def test_the_database_disk_was_measured_before_it_served(stack: Stack) -> None:
    with stack.client() as client:
        found = client.get("/api/v1/storage")

    assert found.status_code == 200
    assert found.json()["seconds"] == 1
    for name in ("random-read", "random-write", "log-write"):
        assert found.json()["jobs"][name]["operations_per_second"] > 0
