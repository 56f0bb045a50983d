"""The policy pack as the engine runs it: `pulumi preview --policy-pack policy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    deserialize,
    policy,
    proxy,
)

from rules import RULES, UNKNOWN, Rule, Secret, lookup

_UNKNOWN_VALUES = frozenset(value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_"))


def _validator(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        kind, name = (lookup(args.props, *path) for path in (("kind",), ("metadata", "name")))
        kubernetes = args.resource_type.startswith("kubernetes:")
        if kubernetes and isinstance(kind, str) and isinstance(lookup(args.props, "apiVersion"), str):
            title = f"{kind} {name}" if isinstance(name, str) else kind
            for violation in rule(args.props):
                report(f"{title}: {violation}", None)

    return validate


def _keep_secret_marks() -> None:
    """Make pulumi_policy pass on which values are secret and which are unknown.

    The engine marks secrets, but the library unwraps them before a validation policy sees them, and has no option to
    keep them. This replaces the one function that unwraps; a test checks over gRPC that the library still calls it.
    """
    unwrap = deserialize.deserialize_properties

    def replacement(properties: dict[str, Any], proxy_secrets: bool = False) -> Mapping[str, Any]:
        if proxy_secrets:  # a remediation policy, which gets the marks anyway
            return unwrap(properties, proxy_secrets)
        # The library wraps a dict in a proxy that raises at unknown values. It leaves other mappings alone.
        return MappingProxyType({key: _marked(value) for key, value in properties.items()})

    policy.deserialize_properties = replacement  # type: ignore[attr-defined, assignment]


def _marked(value: Any) -> Any:
    """Return a value from the engine with its secrets and unknown values as the rules expect them."""
    if isinstance(value, dict):
        if value.get(deserialize.SPECIAL_SIG_KEY) == deserialize.SPECIAL_SECRET_SIG:
            return Secret(_marked(value.get("value")))
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return UNKNOWN if isinstance(value, str) and value in _UNKNOWN_VALUES else value


_keep_secret_marks()
PolicyPack(
    name="multi-tier",
    enforcement_level=EnforcementLevel.MANDATORY,  # --policy-pack-config overrides it
    policies=[
        ResourceValidationPolicy(
            name=rule.__name__.replace("_", "-"),
            description=rule.__doc__ or "",
            validate=_validator(rule),
        )
        for rule in RULES
    ],
)
