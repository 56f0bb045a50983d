"""The preview of one stack: what the head would do to the objects that the base has deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kube.errors import ApiError
from lab.errors import LabError
from preview.baseline import Baseline, Deployed
from preview.changes import Action, Change, changes
from preview.checkout import Program
from preview.cluster import UNCHECKED, UNCHECKED_BY_CDI, Cluster
from preview.diagnostics import shortened, warnings, with_lines
from preview.differences import UNKNOWN
from preview.masking import SECRET
from preview.report import StackReport

_REMOVED = "The stack file is removed. A deployed stack stays up: run `pulumi destroy` with the base's stack file."
_NEW = "The stack file is new: this is what the first `pulumi up` creates."


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two versions.

    Attributes:
        baseline: The stacks at the base.
        head: The program with the change.
        cluster: The control plane.
    """

    baseline: Baseline
    head: Program
    cluster: Cluster

    def report(self, stack: str) -> StackReport:
        """Return what the change does to a stack; a failure is part of the report."""
        if stack not in self.head.stacks:
            return StackReport(stack, removed=True, notes=(_REMOVED,))
        try:
            deployed = self.baseline.deploy(stack)
            report = self._preview(stack, deployed)
        except (LabError, ApiError, OSError) as error:
            return StackReport(stack, failure=str(error))
        report = replace(report, base_refusal=self._with_real_namespaces(deployed.refusal, stack, deployed))
        return report if stack in self.baseline.program.stacks else replace(report, notes=(_NEW, *report.notes))

    def _preview(self, stack: str, deployed: Deployed) -> StackReport:
        digest = self.baseline.stack(self.head, stack, deployed).preview()
        refusals = [*digest.get("refusals", ())]
        refusals += self._refused_replacements(digest, known="\n".join(refusals))
        digest = self._with_real_namespaces({**digest, "refusals": refusals}, stack, deployed)
        scales = self.baseline.program.scale(stack), self.head.scale(stack)
        found = changes(digest.get("steps") or (), scales)
        return StackReport(
            stack,
            changes=found,
            refusals=[self._with_lines(shortened(text), stack) for text in digest["refusals"]],
            warnings=[shortened(text) for text in warnings(digest)],
            notes=list(_notes(found)),
        )

    def _refused_replacements(self, digest: Mapping[str, Any], known: str) -> Iterator[str]:
        """Yield why the API server refuses objects that replace others, unless it is known already.

        The engine's dry run updates the old object instead, which keeps fields that the new object may lack.
        """
        for change in changes(digest.get("steps") or ()):
            incomplete = any(json.dumps(value) in json.dumps(change.new) for value in (SECRET, UNKNOWN))
            namespaced = "namespace" in change.new.get("metadata", {})
            checkable = change.action is Action.REPLACED and namespaced and not incomplete
            if checkable and (refusal := self.cluster.refusal(change.new)) and refusal not in known:
                yield f"{change.kind} {change.name}: {refusal}"

    def _with_lines(self, message: str, stack: str) -> str:
        file = self.head.stacks[stack]
        return with_lines(message, str(file.relative_to(self.head.directory)), file.read_text())

    def _with_real_namespaces(self, tree: Any, stack: str, deployed: Deployed) -> Any:
        """Return the engine's output with namespaces as the stack files have them."""
        text = json.dumps(tree)
        for program in (self.baseline.program, self.head):
            if namespace := program.namespace(stack):
                text = text.replace(deployed.alias(namespace), namespace)
        return json.loads(text)


def _notes(found: Sequence[Change]) -> Iterator[str]:
    kinds = {change.kind for change in found if change.action is not Action.DELETED}
    for kind in UNCHECKED:
        if kind.kind in kinds:
            yield f"{kind.kind} objects are not validated: the preview has no schema or webhooks of {kind.group}."
    for name in UNCHECKED_BY_CDI:
        if name in kinds:
            yield f"{name} objects are validated against CDI's schema, but not by its webhooks."
