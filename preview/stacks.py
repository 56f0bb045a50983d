"""One stack: what its head does to what its base has deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kube.errors import ApiError
from lab.errors import LabError
from preview.changes import Change, Verdict, changes
from preview.cluster import UNCHECKED, UNCHECKED_BY_CDI, Cluster
from preview.deployed import Deployed, Side, deploy
from preview.differences import SECRET, UNKNOWN
from preview.engine import warnings
from preview.lines import with_lines
from preview.outcome import PreviewError
from preview.report import StackReport

_URN = re.compile(r'resource "urn:[^"]*::([^":]+)"')
_REMOVED = "Its stack file goes. A stack that is up stays up; to end it, `pulumi destroy` it with the file of the base."
_NEW = "Its stack file is new: this is what a first `pulumi up` creates."


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two versions that are compared, and where.

    Attributes:
        base: what is deployed.
        head: what is previewed on it.
        cluster: the control plane.
        place: directory of what is known of the base.
    """

    base: Side
    head: Side
    cluster: Cluster
    place: Path

    def report(self, stack: str) -> StackReport:
        """Return what the change does to a stack; a failure is part of the report."""
        if not self.head.has(stack):
            return StackReport(stack, removed=True, notes=(_REMOVED,))
        try:
            deployed = deploy(self.base, self.cluster, self.place, stack)
            report = self._preview(stack, deployed)
        except (PreviewError, LabError, ApiError) as error:
            return StackReport(stack, failure=str(error))
        refusal = self._with_own_names(deployed.refusal, stack, deployed)
        report = replace(report, base_refusal=refusal)
        return report if self.base.has(stack) else replace(report, notes=(_NEW, *report.notes))

    def _preview(self, stack: str, deployed: Deployed) -> StackReport:
        if namespace := self.head.namespace(stack):
            self.cluster.ensure_namespace(deployed.alias(namespace))
        digest = self.head.stack(stack, deployed).preview()
        refused = [*(digest.get("refusals") or ()), *self._refused_replacements(digest)]
        found = self._with_own_names({**digest, "refusals": refused}, stack, deployed)
        done = changes(found.get("steps") or ())
        return StackReport(
            stack,
            changes=done,
            refusals=[self._located(_short(text), stack) for text in found["refusals"]],
            warnings=[_short(text) for text in warnings(found)],
            notes=list(_notes(done)),
        )

    def _refused_replacements(self, digest: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the API server has against objects that replace others.

        The engine asks it about a change of the old object instead, and what the new one lacks is then the old one's.
        """
        for change in changes(digest.get("steps") or ()):
            hidden = {SECRET, UNKNOWN} & set(_texts(change.new))
            in_namespace = "namespace" in change.new.get("metadata", {})
            replaces = change.verdict is Verdict.REPLACED and in_namespace and not hidden
            if replaces and (refusal := self.cluster.refusal(change.new)):
                yield f"{change.kind} {change.name}: {refusal}"

    def _located(self, message: str, stack: str) -> str:
        file = self.head.program.stacks[stack]
        return with_lines(message, str(file.relative_to(self.head.program.directory)), file.read_text())

    def _with_own_names(self, tree: Any, stack: str, deployed: Deployed) -> Any:
        """Return what the engine said with the namespaces' own names in place of those in the control plane."""
        names = {side.namespace(stack) for side in (self.base, self.head) if side.has(stack)}
        aliases = {deployed.alias(name): name for name in names if name}
        return _replaced(tree, aliases)


def _replaced(tree: Any, words: dict[str, str]) -> Any:
    match tree:
        case str():
            for word, other in words.items():
                tree = tree.replace(word, other)
            return tree
        case dict():
            return {_replaced(key, words): _replaced(value, words) for key, value in tree.items()}
        case list():
            return [_replaced(item, words) for item in tree]
    return tree


def _texts(tree: Any) -> Iterator[str]:
    match tree:
        case str():
            yield tree
        case dict():
            yield from (text for value in tree.values() for text in _texts(value))
        case list():
            yield from (text for item in tree for text in _texts(item))


def _short(message: str) -> str:
    return _URN.sub(r"\1", message).removeprefix("Preview failed: ")


def _notes(done: Sequence[Change]) -> list[str]:
    kinds = {change.kind for change in done if change.verdict is not Verdict.DELETED}
    notes = [
        f"{kind.kind}: taken as it is. The product that checks it ({kind.group}) is not part of a preview."
        for kind in UNCHECKED
        if kind.kind in kinds
    ]
    notes += [f"{kind}: checked by CDI's schema, not by its webhooks." for kind in UNCHECKED_BY_CDI if kind in kinds]
    return notes
