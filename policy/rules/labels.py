"""The recommended labels, by which all of a stack is found, watched and removed."""

from __future__ import annotations

from collections.abc import Iterator

from rules.manifest import UNKNOWN, Manifest, Path, Rule, lookup, shown

REQUIRED = tuple(f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "part-of", "managed-by"))


def _problems(manifest: Manifest) -> Iterator[str]:
    yield from _missing(manifest, ("metadata", "labels"))
    if guest := manifest.guest():
        # A Service selects the instances, which have only what the template gives them.
        yield from _missing(manifest, (*guest[0], "metadata", "labels"))


def _missing(manifest: Manifest, path: Path) -> Iterator[str]:
    labels = lookup(manifest.body, path)
    if labels is UNKNOWN:
        return
    absent = [label for label in REQUIRED if lookup(labels, (label,)) in (None, "")]
    if absent:
        yield f"{shown(path)} lacks {', '.join(absent)}."


LABELS = Rule("labels-present", "Every object has the recommended labels app.kubernetes.io/*.", _problems)
