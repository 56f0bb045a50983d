"""The rules, each a function of one object's manifest; nothing here knows Pulumi."""

from rules.images import IMAGES
from rules.labels import LABELS
from rules.limits import LIMITS
from rules.manifest import Rule
from rules.probes import PROBES
from rules.secrecy import SECRECY

RULES: tuple[Rule, ...] = (SECRECY, LIMITS, PROBES, LABELS, IMAGES)
