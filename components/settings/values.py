"""The kinds of value that a stack file holds. Each one checks itself and says in plain words what it allows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

from pydantic import BeforeValidator

from cloudinit import Family, Profile


class Size(StrEnum):
    """A size of machine, whose figures are the tier's own."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class AccessMode(StrEnum):
    """How many nodes may use a disk at a time."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"
    READ_WRITE_MANY = "ReadWriteMany"


class VolumeMode(StrEnum):
    """Whether a disk is a file on a file system of the storage's, or a device."""

    FILESYSTEM = "Filesystem"
    BLOCK = "Block"


class ServiceType(StrEnum):
    """How a Service is reached."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


class ExposureKind(StrEnum):
    """Kinds of objects that lead requests from outside the cluster to a Service."""

    INGRESS = "Ingress"
    HTTP_ROUTE = "HTTPRoute"
    ROUTE = "Route"


class Termination(StrEnum):
    """Where TLS ends. Only at the router: nginx has no certificate."""

    EDGE = "edge"


_UNITS = {
    "": 1,
    **{unit: 1000 ** (power + 1) for power, unit in enumerate("kMGTP")},
    **{unit: 1024 ** (power + 1) for power, unit in enumerate(["Ki", "Mi", "Gi", "Ti", "Pi"])},
}
_QUANTITY = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[KMGTP]i|[kMGTP]|)", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,4})(?P<unit>[smh])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_IMAGE = (
    r"([a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?/)?"  # registry
    r"[a-z0-9]+([._/-]+[a-z0-9]+)*"  # repository
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
HOST = r"([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_QUALIFIED_NAME = re.compile(
    rf"((?=[^/]{{1,253}}/){_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?", re.ASCII
)


def bytes_of(quantity: str) -> int:
    """Return a Kubernetes quantity in bytes.

    Raises:
        ValueError: the text is no quantity.
    """
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"not a quantity: {quantity}")
    return int(Decimal(match["number"]) * _UNITS[match["unit"]])


def seconds_of(duration: str) -> int:
    """Return a duration in seconds.

    Raises:
        ValueError: the text is no duration.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"not a duration: {duration}")
    return int(match["number"]) * _SECONDS[match["unit"]]


def _whole(low: int, high: int) -> BeforeValidator:
    def check(value: object) -> object:
        # bool is an int to Python, but `vcpus: true` is a mistake.
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low:,} to {high:,}")
        return value

    return BeforeValidator(check)


def _number(low: float, high: float, allowed: str) -> BeforeValidator:
    def check(value: object) -> object:
        # `pulumi config set` writes a number with a decimal point as text.
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"must be {allowed}")
        return value

    return BeforeValidator(check)


def fitting(fits: Callable[[str], object], allowed: str) -> BeforeValidator:
    """Return a check for a text; `allowed` says what fits, after "must be"."""

    def check(value: object) -> object:
        if not isinstance(value, str) or not fits(value):
            raise ValueError(f"must be {allowed}")
        return value

    return BeforeValidator(check)


def pattern(expression: str, allowed: str) -> BeforeValidator:
    """Return a check for a text that a regular expression matches as a whole."""
    return fitting(re.compile(expression, re.ASCII).fullmatch, allowed)


def choice(choices: type[StrEnum]) -> BeforeValidator:
    """Return a check for one of some words."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in set(choices):
            *others, last = choices
            raise ValueError(f"must be {', '.join(others)} or {last}" if others else f"must be {last}")
        return choices(value)

    return BeforeValidator(check)


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004, pydantic collects ValueErrors only
    return value


def _lasts(low: int, high: int) -> Callable[[str], bool]:
    return lambda text: _DURATION.fullmatch(text) is not None and low <= seconds_of(text) <= high


def _peers(value: object) -> object:
    allowed = 'must be a list of namespaces and address ranges, such as ["monitoring", "10.0.0.0/8"]'
    if not isinstance(value, list | tuple):
        raise ValueError(allowed)  # noqa: TRY004, pydantic collects ValueErrors only
    for peer in value:
        if not isinstance(peer, str) or not (re.fullmatch(_LABEL, peer, re.ASCII) or _is_range(peer)):
            raise ValueError(f"{allowed}; {json.dumps(peer)} is neither")
    if len(set(value)) < len(value):
        raise ValueError(f"{allowed}, and each of them once")
    return tuple(value)


def _annotations(value: object) -> object:
    allowed = 'must be a mapping of annotations, such as {"example.com/pool": "lab"}'
    if not isinstance(value, dict):
        raise ValueError(allowed)  # noqa: TRY004, pydantic collects ValueErrors only
    if not value:
        raise ValueError(f"{allowed}, with at least one of them")
    for key, text in value.items():
        if not isinstance(key, str) or not _QUALIFIED_NAME.fullmatch(key):
            raise ValueError(f"{allowed}; {json.dumps(key)} is no annotation's name")
        # `pulumi config set` makes numbers and booleans of texts that look like them.
        if not isinstance(text, str | int):
            raise ValueError(f"{allowed}; {json.dumps(key)} needs a text")  # noqa: TRY004
    return {key: text if isinstance(text, str) else json.dumps(text) for key, text in value.items()}


def _is_range(text: str) -> bool:
    """Whether it is a CIDR as NetworkPolicies take it: with a slash, and no bit set behind its prefix."""
    try:
        return "/" in text and str(ip_network(text)) == text
    except ValueError:
        return False


def _is_quantity(text: str) -> bool:
    return _QUANTITY.fullmatch(text) is not None and bytes_of(text) > 0


Flag = Annotated[bool, BeforeValidator(_flag)]
ProfileName = Annotated[Profile, choice(Profile)]
FamilyName = Annotated[Family, choice(Family)]
VirtualCpus = Annotated[int, _whole(1, 128)]
Replicas = Annotated[int, _whole(1, 100)]
# Accounts are numbered from 1 to 100,000 * scale in a 32-bit column.
Scale = Annotated[int, _whole(1, 20_000)]
RequestsPerSecond = Annotated[int, _whole(1, 100_000)]
Connections = Annotated[int, _whole(1, 10_000)]
Seed = Annotated[int, _whole(0, 2**32 - 1)]
Milliseconds = Annotated[float, _number(0.001, 600_000, "a number of milliseconds from 0.001 to 600,000")]
Share = Annotated[float, _number(0, 1, "a number from 0 to 1")]
# No user name or password in it: it is no secret in the guests' settings.
Url = Annotated[
    str,
    pattern(
        rf"https?://{HOST}(/[A-Za-z0-9._~/-]*)?",
        'an address such as "http://collector.observability.svc.cluster.local:4318"',
    ),
]
# Here a query may hold a download's token; a user name is refused, because CDI would not use it.
ImageUrl = Annotated[
    str,
    pattern(
        rf"https?://{HOST}/[A-Za-z0-9._~/%?&=+,:@-]*[A-Za-z0-9._~%=-]",
        'the address of a disk image such as "https://images.example/debian-12.qcow2"',
    ),
]
SizeName = Annotated[Size, choice(Size)]
AccessModeName = Annotated[AccessMode, choice(AccessMode)]
VolumeModeName = Annotated[VolumeMode, choice(VolumeMode)]
Weight = Annotated[int, _whole(0, 1_000_000)]
Quantity = Annotated[str, fitting(_is_quantity, 'a quantity above zero with a unit, such as "512Mi" or "2Gi"')]
Duration = Annotated[
    str, fitting(_lasts(10, 24 * 3600), 'a duration from 10 seconds to a day, such as "90s", "10m" or "1h"')
]
ShortDuration = Annotated[str, fitting(_lasts(1, 600), 'a duration from 1 second to 10 minutes, such as "10s" or "5m"')]
ImageReference = Annotated[str, pattern(_IMAGE, 'a container image such as "quay.io/containerdisks/debian:12"')]
# Services take the stack's name, and theirs must begin with a letter.
StackName = Annotated[
    str, pattern(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 of a-z, 0-9 and -, beginning with a letter")
]
NamespaceName = Annotated[str, pattern(_LABEL, "1 to 63 of a-z, 0-9 and -, not beginning or ending with -")]
ObjectName = Annotated[
    str,
    pattern(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", "the name of a Kubernetes object: a-z, 0-9, - and ."),
]
Peers = Annotated[tuple[str, ...], BeforeValidator(_peers)]
Annotations = Annotated[dict[str, str], BeforeValidator(_annotations)]
HostName = Annotated[
    str,
    # The last label of a name begins with a letter, which an address's doesn't.
    pattern(rf"(?=.{{1,253}}$)({_LABEL}\.)*[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?", 'a DNS name such as "shop.example.com"'),
]
# The range of the API server's --service-node-port-range, unless a cluster has another.
NodePort = Annotated[int, _whole(30_000, 32_767)]
LoadBalancerClass = Annotated[
    str, fitting(_QUALIFIED_NAME.fullmatch, 'the class of a load balancer such as "example.com/internal"')
]
ServiceTypeName = Annotated[ServiceType, choice(ServiceType)]
ExposureKindName = Annotated[ExposureKind, choice(ExposureKind)]
TerminationName = Annotated[Termination, choice(Termination)]
