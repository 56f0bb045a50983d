"""A real Prometheus server on this machine's loopback interface, which scrapes a stack as documented."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from kube.client import Api
from kube.resources import PODS, SERVICES, Object, Resource
from lab.config import PROJECT
from lab.toolchain import debian_package
from tests.lab.stack import NAME, Stack, wait_until

SLICES = Resource("discovery.k8s.io/v1", "endpointslices")
DOCUMENT = PROJECT / "docs" / "metrics.md"
INTERVAL = "1s"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of an instant query's result."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    def _get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10, trust_env=False).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]

    def query(self, expression: str) -> list[Sample]:
        """Return the current result of a PromQL expression."""
        data = self._get("query", query=expression)
        assert data["resultType"] == "vector", expression
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def value(self, expression: str) -> float:
        """Return the current value of a PromQL expression with one sample."""
        samples = self.query(expression)
        assert len(samples) == 1, f"{expression} has the samples {samples}"
        return samples[0].value

    def targets(self) -> list[Mapping[str, Any]]:
        """Return the active targets with the state of their last scrape."""
        targets: list[Mapping[str, Any]] = self._get("targets", state="active")["activeTargets"]
        return targets


def documented_configuration() -> dict[str, Any]:
    """Return the scrape configuration of docs/metrics.md for clusters without the Prometheus Operator."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if "scrape_configs:" in block)
    configuration: dict[str, Any] = yaml.safe_load(block)
    return configuration


def discovered(cluster: Api, namespace: str) -> list[dict[str, Any]]:
    """Return the targets that Prometheus's Kubernetes discovery finds, with their labels.

    Debian's Prometheus is built without that discovery. These are the targets of the role `endpointslice` with its
    stable labels; Prometheus itself does the relabelling.
    """
    services = {service["metadata"]["name"]: service for service in cluster.list(SERVICES, namespace)[0]}
    pods = {pod["metadata"]["name"]: pod for pod in cluster.list(PODS, namespace)[0]}
    return [
        {
            "targets": [f"{address}:{port['port']}"],
            "labels": {
                "__meta_kubernetes_namespace": namespace,
                "__meta_kubernetes_endpointslice_port_name": port["name"],
                **_labels("service", services[one["metadata"]["labels"]["kubernetes.io/service-name"]]),
                **_labels("pod", pods[endpoint["targetRef"]["name"]]),
            },
        }
        for one in cluster.list(SLICES, namespace)[0]
        for endpoint in one["endpoints"]
        for address in endpoint["addresses"]
        for port in one["ports"]
    ]


def _labels(kind: str, item: Object) -> dict[str, str]:
    labels = item["metadata"].get("labels", {})
    return {f"__meta_kubernetes_{kind}_label_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}": labels[key] for key in labels}


def _configuration(stack: Stack, directory: Path) -> Path:
    """Write the documented configuration, with the discovery and the interval replaced."""
    targets = directory / "targets.yml"
    targets.write_text(yaml.safe_dump(discovered(stack.cluster, NAME)))
    configuration = documented_configuration()
    for job in configuration["scrape_configs"]:
        del job["kubernetes_sd_configs"]
        job |= {"file_sd_configs": [{"files": [str(targets)]}], "scrape_interval": INTERVAL}
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def prometheus(stack: Stack, directory: Path) -> Iterator[Prometheus]:
    """Run a server that scrapes a stack, with its data in a directory."""
    program = debian_package.unpack("prometheus") / "usr" / "bin" / "prometheus"
    address = f"127.0.0.1:{_free_port()}"
    arguments = {
        "config.file": _configuration(stack, directory),
        "storage.tsdb.path": directory / "data",
        "web.listen-address": address,
    }
    server = Prometheus(f"http://{address}")
    log = directory / "log"
    with log.open("w") as output:
        command = [str(program), *(f"--{name}={value}" for name, value in arguments.items())]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until("Prometheus is ready", lambda: _is_ready(server, process, log))
        yield server
    finally:
        process.terminate()
        process.wait(10)


def _is_ready(server: Prometheus, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, f"Prometheus exited: {log.read_text()[-500:]}"
    try:
        return httpx.get(f"{server.url}/-/ready", trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
