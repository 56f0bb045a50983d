"""One Kubernetes object as the rules see it: plain data, with secrets and what isn't known yet told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

UNKNOWN = object()
"""A value that a preview can't know yet."""
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Marked:
    """A value that the program has marked as secret.

    Attributes:
        value: what is secret; no message may show it.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object.

    Attributes:
        group: its API group, empty for the core one.
        kind: its kind.
        body: all of it, as the program gives it.
    """

    group: str
    kind: str
    body: Mapping[str, Any]

    @classmethod
    def of(cls, resource_type: str, inputs: Mapping[str, Any]) -> Manifest | None:
        """Return the manifest in a resource's inputs, None if the resource is no Kubernetes object."""
        if not resource_type.startswith("kubernetes:"):
            return None
        version = lookup(inputs, ("apiVersion",))
        kind = lookup(inputs, ("kind",))
        if not isinstance(version, str) or not isinstance(kind, str):
            return None
        return cls(version.rpartition("/")[0], kind, inputs)

    @property
    def title(self) -> str:
        """What a person calls it."""
        name = lookup(self.body, ("metadata", "name"))
        return f"{self.kind} {name}" if isinstance(name, str) else self.kind

    def guest(self) -> tuple[Path, Mapping[str, Any]] | None:
        """Return the template of the instances of a VirtualMachine or a pool of them, and where it stands."""
        path = _TEMPLATES.get((self.group, self.kind))
        template = lookup(self.body, path) if path else None
        return (path, template) if path and isinstance(template, Mapping) else None


_TEMPLATES: dict[tuple[str, str], Path] = {
    ("kubevirt.io", "VirtualMachine"): ("spec", "template"),
    ("pool.kubevirt.io", "VirtualMachinePool"): ("spec", "virtualMachineTemplate", "spec", "template"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: what a violation and the pack's configuration call it.
        description: the rule in a sentence.
        problems: yields what an object has against it, each in a sentence.
    """

    name: str
    description: str
    problems: Callable[[Manifest], Iterator[str]]


def opened(value: Any) -> Any:
    """Return a value whether or not it is secret."""
    return value.value if isinstance(value, Marked) else value


def lookup(tree: Any, path: Path) -> Any:
    """Return what is at a path, None if nothing is; UNKNOWN where the way ends in what isn't known yet."""
    for key in path:
        tree = opened(tree)
        if tree is UNKNOWN:
            return UNKNOWN
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return opened(tree)


def shown(path: Path) -> str:
    """Return a path as kubectl explain takes it, with indexes."""
    return "".join(part if part.startswith("[") else f".{part}" for part in path).removeprefix(".")
