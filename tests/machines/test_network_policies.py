"""NetworkPolicies as a real node enforces them."""

from __future__ import annotations

from cloudinit.constants import DATABASE_PORT
from tests.lab.stack import NAME, Stack
from tests.machines.machine import Machine


def connects(client: Machine, server: Machine, port: int) -> bool:
    """Whether a guest gets a TCP connection to another one."""
    address = server.vmi()["status"]["interfaces"][0]["ipAddress"]
    script = f"timeout 10 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo connected || echo refused"
    answer = client.ssh(script)
    assert answer in ("connected", "refused")
    return answer == "connected"


def test_only_the_tier_in_front_of_a_tier_connects_to_it(stack: Stack) -> None:
    database, application, web = (
        Machine(stack.lab, f"{NAME}-{tier}-0", key=stack.configuration.with_name("key"))
        for tier in ("database", "application", "web")
    )

    assert connects(application, database, DATABASE_PORT)
    assert not connects(web, database, DATABASE_PORT)
