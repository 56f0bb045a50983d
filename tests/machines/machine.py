"""A VirtualMachine on the real node, as its user sees it: through the API, its console, and ssh."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websocket

from kube import client
from kube.client import Api
from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object
from lab.config import Lab
from lab.machines import components, pods
from tests.lab.stack import wait_until

# Several times what a machine takes on two busy processors that QEMU emulates.
UP_SECONDS = 1800.0
BOOT_SECONDS = 600.0
_SUBRESOURCES = "/apis/subresources.kubevirt.io/v1"


@dataclass(frozen=True)
class Machine:
    """One VirtualMachine of a lab."""

    lab: Lab
    name: str
    namespace: str = "multi-tier"
    key: Path | None = None

    @property
    def cluster(self) -> Api:
        return client.connect(self.lab.kubeconfig)

    def vm(self) -> Object:
        return self.cluster.get(VIRTUAL_MACHINES, self.name, self.namespace)

    def vmi(self) -> Object:
        return self.cluster.get(VIRTUAL_MACHINE_INSTANCES, self.name, self.namespace)

    @property
    def uid(self) -> str:
        found = self.cluster.find(VIRTUAL_MACHINE_INSTANCES, self.name, self.namespace)
        return str(found["metadata"]["uid"]) if found else ""

    def condition(self, kind: str) -> str:
        conditions = self.vmi().get("status", {}).get("conditions") or ()
        return next((str(one["status"]) for one in conditions if one["type"] == kind), "")

    def ready(self) -> bool:
        return bool(self.vm().get("status", {}).get("ready"))

    def pod(self) -> Object:
        found = self.cluster.list(PODS, self.namespace, labels=f"vm.kubevirt.io/name={self.name}")[0]
        return next(pod for pod in found if pod["status"]["phase"] == "Running")

    def subresource(self, verb: str, name: str, body: object = None, kind: str = "virtualmachineinstances") -> bytes:
        """Call a KubeVirt subresource, as virtctl does."""
        path = f"{_SUBRESOURCES}/namespaces/{self.namespace}/{kind}/{self.name}/{name}"
        with self.cluster._open(verb, path, {}, body if body is not None else {}) as answer:
            return answer.read()

    def console(self, typed: str, expected: str, seconds: float = 30.0) -> str:
        """Type on the serial console through the API until a pattern is answered; return all that was written."""
        context = ssl.create_default_context(cafile=str(self.lab.pki / "ca.crt"))
        context.load_cert_chain(self.lab.pki / "admin.crt", self.lab.pki / "admin.key")
        path = f"{_SUBRESOURCES}/namespaces/{self.namespace}/virtualmachineinstances/{self.name}/console"
        url = f"{self.lab.api_server.replace('https', 'wss')}{path}"
        stream = websocket.create_connection(
            url, sslopt={"context": context}, subprotocols=["plain.kubevirt.io"], timeout=2
        )
        written, deadline = "", time.monotonic() + seconds
        try:
            stream.send_binary(typed.encode())
            while not re.search(expected, written):
                assert time.monotonic() < deadline, f"{expected!r} is not on the console: {written[-500:]}"
                try:
                    part = stream.recv()
                except websocket.WebSocketTimeoutException:
                    stream.send_binary(typed.encode())
                    continue
                written += part.decode(errors="replace") if isinstance(part, bytes) else part
        finally:
            stream.close()
        return written

    def log(self) -> str:
        """Return what the guest has written to its serial console."""
        return pods.console(self.cluster, self.name)

    def ssh(self, *command: str) -> str:
        """Run a command in the guest, from the lab's network namespace: policies let only the node and virt-api in."""
        address = self.vmi()["status"]["interfaces"][0]["ipAddress"]
        settings = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "ConnectTimeout=30")
        options = [f"-o{setting}" for setting in (*settings, f"IdentityFile={self.key}")]
        done = subprocess.run(
            ["ip", "netns", "exec", self.lab.name, "ssh", "-F", "none", *options, f"ann@{address}", *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout.strip()

    def qemu(self) -> tuple[int, list[str]]:
        """Return the pid, on this machine, and the command line of the machine's QEMU process."""
        marker = f"guest={self.namespace}_{self.name},".encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = path.read_bytes()
            except OSError:
                continue
            if marker in command and b"qemu" in command.split(b"\0")[0]:
                return int(path.parent.name), command.decode().split("\0")
        raise AssertionError(f"no QEMU process of {self.name}")

    def wait_replaced(self, former: str, seconds: float = BOOT_SECONDS) -> float:
        """Wait until another instance is ready; return how many seconds it took."""
        started = time.monotonic()
        wait_until(f"{self.name} has another instance", lambda: self.uid not in ("", former), seconds)
        wait_until(f"{self.name} is ready again", self.ready, seconds)
        return time.monotonic() - started


def kubectl(lab: Lab, *arguments: str) -> str:
    """Run kubectl on the lab and return its output."""
    done = subprocess.run(
        [str(lab.binaries / "kubectl"), *arguments],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=BOOT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_node(lab: Lab, *command: str) -> Any:
    """Run a program in the node and return its output."""
    return subprocess.run([*components.inside(lab), *command], capture_output=True, text=True, check=True).stdout
