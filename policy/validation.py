"""From a rule over manifests to what pulumi_policy calls for each resource."""

from __future__ import annotations

from collections.abc import Callable

from pulumi_policy import ReportViolation, ResourceValidationArgs

from rules.manifest import Manifest, Rule


def validation(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    """Return the callback that reports what a Kubernetes object has against a rule; all else passes."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        manifest = Manifest.of(args.resource_type, args.props)
        if manifest is None:
            return
        for problem in rule.problems(manifest):
            report(f"{manifest.title}: {problem}", None)

    return validate
