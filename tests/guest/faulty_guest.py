"""A booted guest that can have every fault: a web machine whose application and data disk are in the guest itself."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from cloudinit.constants import APPLICATION_PORT
from cloudinit.fault_plan import Fault, FaultPlan, Kind, render_fault_plan
from tests.guest.booted_guest import HOSTNAME, BootedGuest
from tests.unit.api_server import ApiServer

PLAN, REPORTS = ("configmaps", "multi-tier-faults"), ("configmaps", "multi-tier-fault-reports")
DISK = "/srv/database"
SETTINGS = f"""\
API_ACCESS=/etc/virtwork/api
FAULTS=multi-tier-faults
FAULT_REPORTS=multi-tier-fault-reports
TIER=web
SERVICE=nginx.service
TARGET_PORT={APPLICATION_PORT}
DATA_DISK={DISK}
"""
APPLICATION = f"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", {APPLICATION_PORT}), Handler).serve_forever()
"""
UPSTREAM = f"""\
map "" $application_known {{ default 1; }}
upstream application {{ server 127.0.0.1:{APPLICATION_PORT} max_fails=0; keepalive 64; }}
"""
ROUTE = """
ip link add eth0 type veth peer name peer
ip address add 10.9.9.2/24 dev eth0
ip link set eth0 up
ip link set peer up
ip route add default via 10.9.9.1
"""
_runs = count()


@dataclass
class FaultyGuest:
    """A guest that follows the plan of an API server."""

    guest: BootedGuest
    api: ApiServer
    name: str = field(default="")

    def ask(self, kind: Kind, duration: float = 3.0, **parameters: float) -> None:
        """Ask for a fault from now on."""
        self.name = f"run{next(_runs)}"
        fault = Fault(
            title=f"web {kind.value}", tier="web", kind=kind, start=0, duration=duration, parameters=parameters
        )
        plan = FaultPlan(run=self.name, started=time.time(), seconds=60, faults=[fault])
        self.api.objects[PLAN] = {"run.json": render_fault_plan(plan)}

    @property
    def report(self) -> dict[str, Any]:
        """What the guest reports about the fault."""
        reports = json.loads(self.api.objects[REPORTS].get(HOSTNAME, "[]"))
        return next((one for one in reports if one["id"] == f"{self.name}-0-0"), {})

    def wait_begun(self) -> None:
        self.guest.wait("the fault is in force", lambda: self.report.get("began") or self.report.get("problem"), 10)
        assert not self.report["problem"]

    def wait_ended(self, seconds: float = 10.0) -> float:
        """Wait for the report of the end, and return how long the fault lasted."""
        self.guest.wait("the fault has ended", lambda: self.report.get("ended"), seconds)
        self.guest.wait("its unit has ended", lambda: not self.processes, 30)
        lasted: float = self.report["ended"] - self.report["began"]
        return lasted

    @property
    def processes(self) -> list[psutil.Process]:
        """The processes that inject the fault."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess):
                if process.cmdline()[-2:] == ["inject", f"{self.name}-0-0"]:
                    found.append(process)
        return found

    def serves(self) -> bool:
        """Return whether nginx responds."""
        url = "http://127.0.0.1/health"
        return "200" in self.guest.run("curl", "-sm", "0.5", "-o", "/dev/null", "-w", "%{http_code}", url, check=False)


def mount_disk(guest: BootedGuest, device: str) -> None:
    number = os.minor(Path(device).stat().st_rdev)
    guest.run("mknod", "/dev/test-disk", "b", "7", str(number))
    guest.run("mkdir", "-p", DISK)
    guest.run("mount", "-t", "ext4", "/dev/test-disk", DISK)


def kill_agent(faulty: FaultyGuest) -> None:
    """Kill the agent, and keep systemd from starting it again."""
    faulty.guest.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "virtwork-faults.service")
    faulty.guest.run("systemctl", "stop", "virtwork-faults.service")


def kill_injection(faulty: FaultyGuest) -> None:
    """Kill the fault's own processes."""
    for process in faulty.processes:
        process.kill()
