"""The policy pack, as the engine starts it: `pulumi preview --policy-pack policy`."""

from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

from marks import keep_marks
from rules import RULES
from validation import validation

keep_marks()
PolicyPack(
    name="multi-tier",
    # What `--policy-pack-config` says of a rule, or of all of them, goes before this.
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy(name=rule.name, description=rule.description, validate=validation(rule))
        for rule in RULES
    ],
)
