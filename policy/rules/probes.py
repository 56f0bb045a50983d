"""A machine without a probe counts as serving when it has hardly started."""

from __future__ import annotations

from collections.abc import Iterator

from rules.manifest import UNKNOWN, Manifest, Rule, lookup, shown

_HANDLERS = ("httpGet", "tcpSocket", "exec", "guestAgentPing")


def _problems(manifest: Manifest) -> Iterator[str]:
    guest = manifest.guest()
    if not guest:
        return
    path, template = guest
    probe = lookup(template, ("spec", "readinessProbe"))
    if probe is UNKNOWN:
        return
    if not any(lookup(probe, (handler,)) is not None for handler in _HANDLERS):
        place = shown((*path, "spec", "readinessProbe"))
        yield f"{place} is missing: without {', '.join(_HANDLERS[:-1])} or {_HANDLERS[-1]}, ready only means started."


PROBES = Rule("probes-present", "Every machine has a readiness probe.", _problems)
