"""Stacks for measurements: several variants beside each other on one lab, each in a namespace of its own."""

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
    """One way to configure the application.

    Attributes:
        name: what it is called; its stack, its namespace and its objects are called `bench-<name>`.
        config: settings beside those of the stack `lab`.
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        """The stack's name, which is its namespace's too."""
        return f"bench-{self.name}"


@dataclass(frozen=True, slots=True)
class Running:
    """A variant that is up.

    Attributes:
        variant: which one.
        url: base URL of its web Service, which this machine reaches.
        guests: its guests.
    """

    variant: Variant
    url: str
    guests: Guests


@contextmanager
def running(lab: Lab, variants: list[Variant]) -> Iterator[list[Running]]:
    """Bring variants up on a lab that runs, and destroy them at the end.

    Raises:
        LabError: one of them did not come up.
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
                _beside_the_others(variant).unlink(missing_ok=True)


def _beside_the_others(variant: Variant) -> Path:
    """Return the file that the engine writes when it makes the stack, whatever --config-file says later."""
    return PROJECT / "stacks" / f"Pulumi.{variant.stack}.yaml"


def _options(variant: Variant, file: Path) -> tuple[str, ...]:
    return ("--stack", variant.stack, "--config-file", str(file), "--yes", "--skip-preview", "--suppress-progress")


def _configuration(directory: Path, variant: Variant) -> Path:
    """Write the variant's stack file: that of the lab, with its own names and settings."""
    document = yaml.safe_load(_LAB_STACK.read_text())
    config = document["config"]
    config |= {"multi-tier:name": variant.stack, "multi-tier:namespace": variant.stack}
    for key, value in variant.config.items():
        former = config.get(f"multi-tier:{key}", {})
        config[f"multi-tier:{key}"] = {**former, **value} if isinstance(value, dict) else value
    path = directory / f"Pulumi.{variant.stack}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
