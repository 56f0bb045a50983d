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

_LAB_STACK = PROJECT / "stacks" / "Pulumi.lab.yaml"


@dataclass(frozen=True, slots=True)
class Variant:
    """A configuration of the application.

    Attributes:
        name: Name of the variant. Its stack, namespace and objects are named `bench-<name>`.
        config: Settings that override or extend those of the stack `lab`.
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        """The name of the stack and of its namespace."""
        return f"bench-{self.name}"


@dataclass(frozen=True, slots=True)
class Running:
    """A deployed variant.

    Attributes:
        variant: The variant.
        url: Base URL of its web Service, reachable from this machine.
        guests: Its guests.
    """

    variant: Variant
    url: str
    guests: Guests

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
        files = {variant.name: _configuration(Path(directory), variant) for variant in variants}
        try:
            for variant in variants:
                deployment.pulumi(lab, "stack", "select", "--create", variant.stack)
                deployment.pulumi(lab, "up", *_options(variant, files[variant.name]))
            yield [
                Running(
                    variant,
                    traffic.reachable_url(cluster, f"http://{variant.stack}-web.{variant.stack}/"),
                    Guests(lab, variant.stack),
                )
                for variant in variants
            ]
        finally:
            for variant in variants:
                deployment.pulumi(lab, "destroy", "--remove", *_options(variant, files[variant.name]))
                # The engine writes this file when it creates the stack, whatever --config-file says.
                (PROJECT / "stacks" / f"Pulumi.{variant.stack}.yaml").unlink(missing_ok=True)


def _options(variant: Variant, file: Path) -> tuple[str, ...]:
    return ("--stack", variant.stack, "--config-file", str(file), "--yes", "--skip-preview", "--suppress-progress")


def _configuration(directory: Path, variant: Variant) -> Path:
    """Write the variant's stack file: the lab's, with the variant's names and settings."""
    document = yaml.safe_load(_LAB_STACK.read_text())
    config = document["config"]
    config |= {"multi-tier:name": variant.stack, "multi-tier:namespace": variant.stack}
    for key, value in variant.config.items():
        base = config.get(f"multi-tier:{key}", {})
        config[f"multi-tier:{key}"] = {**base, **value} if isinstance(value, dict) else value
    path = directory / f"Pulumi.{variant.stack}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
