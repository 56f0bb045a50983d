"""A machine without a size takes what its node happens to give."""

from __future__ import annotations

from collections.abc import Iterator

from rules.manifest import Manifest, Path, Rule, lookup, shown

_MEMORY: tuple[Path, ...] = (
    ("memory", "guest"),
    ("resources", "limits", "memory"),
    ("resources", "requests", "memory"),
)
_CPU: tuple[Path, ...] = (
    ("cpu", "cores"),
    ("cpu", "sockets"),
    ("cpu", "threads"),
    ("resources", "limits", "cpu"),
    ("resources", "requests", "cpu"),
)


def _problems(manifest: Manifest) -> Iterator[str]:
    guest = manifest.guest()
    if not guest:
        return
    path, template = guest
    # Beside the template stands the instancetype, which sets both.
    if lookup(manifest.body, (*path[:-1], "instancetype", "name")) is not None:
        return
    domain = (*path, "spec", "domain")
    for what, places in (("memory", _MEMORY), ("cpu", _CPU)):
        if all(lookup(template, ("spec", "domain", *place)) is None for place in places):
            yield f"{shown((*domain, *places[0]))} is not set: give the machine {what}, or name an instancetype."


LIMITS = Rule("limits-set", "Every machine has its CPUs and its memory set, or an instancetype.", _problems)
