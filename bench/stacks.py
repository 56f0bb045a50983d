"""Stacks to measure: several variants side by side on one lab, each in its own namespace."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.guests import Guests
from kube import client
from lab import deployment, traffic
from lab.config import PROJECT, Lab

LAB_STACK = PROJECT / "stacks" / "Pulumi.lab.yaml"


@dataclass(frozen=True, slots=True)
class Variant:
    """A configuration of the application.

    Attributes:
        name: Name of the variant.
        config: Settings that override or extend those of the stack `lab`.
        purpose: What it is for.
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    purpose: str = "bench"

    @property
    def stack(self) -> str:
        """The name of the stack, of its namespace and of its objects."""
        return f"{self.purpose}-{self.name}"


@dataclass(frozen=True, slots=True)
class Running:
    """A deployed variant.

    Attributes:
        variant: The variant.
        url: Base URL of its web Service, reachable from this machine.
        guests: Its guests.
        file: Its stack file.
    """

    variant: Variant
    url: str
    guests: Guests
    file: Path

    def guest(self, tier: str) -> str:
        """Return the name of a tier's first guest."""
        return f"{self.variant.stack}-{tier}-0"


@contextmanager
def running(lab: Lab, variants: list[Variant]) -> Iterator[list[Running]]:
    """Deploy variants to a running lab, and destroy them at the end.

    Raises:
        LabError: Deployment failed.
    """
    cluster = client.connect(lab.kubeconfig)
    with tempfile.TemporaryDirectory() as directory:
        files = {variant.name: configuration(Path(directory), variant) for variant in variants}
        try:
            for variant in variants:
                create(lab, variant.stack)
                deployment.up(lab, variant.stack, "--config-file", str(files[variant.name]))
            yield [
                Running(
                    variant,
                    traffic.reachable_url(cluster, f"http://{variant.stack}-web.{variant.stack}/"),
                    Guests(lab, variant.stack),
                    files[variant.name],
                )
                for variant in variants
            ]
        finally:
            for variant in variants:
                remove(lab, variant.stack, files[variant.name])


def create(lab: Lab, stack: str) -> None:
    """Create a stack that has its own stack file, unless it exists.

    Raises:
        LabError: It failed.
    """
    try:
        deployment.pulumi(lab, "stack", "select", "--create", stack)
    finally:
        # The engine writes this file when it creates a stack. Another one is in use.
        (PROJECT / "stacks" / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)


def remove(lab: Lab, stack: str, file: Path) -> None:
    """Destroy a stack and forget it.

    Raises:
        LabError: It failed.
    """
    where = ("--stack", stack, "--config-file", str(file))
    deployment.pulumi(lab, "destroy", "--remove", *where, "--yes", "--skip-preview", "--suppress-progress")


def configuration(directory: Path, variant: Variant) -> Path:
    """Write the variant's stack file: the lab's, with the variant's names and settings."""
    document = yaml.safe_load(LAB_STACK.read_text())
    config = document["config"]
    config |= {"multi-tier:name": variant.stack, "multi-tier:namespace": variant.stack}
    for key, value in variant.config.items():
        base = config.get(f"multi-tier:{key}", {})
        config[f"multi-tier:{key}"] = {**base, **value} if isinstance(value, dict) else value
    path = directory / f"Pulumi.{variant.stack}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
