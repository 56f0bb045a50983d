"""Types that several groups of settings share."""

from __future__ import annotations

import re
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from annotated_types import Predicate
from pydantic import BeforeValidator, Field
from pydantic_core import to_json

_UNITS = {
    "": 1,
    **{unit: 1000 ** (power + 1) for power, unit in enumerate("kMGTP")},
    **{unit: 1024 ** (power + 1) for power, unit in enumerate(["Ki", "Mi", "Gi", "Ti", "Pi"])},
}
_QUANTITY = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[KMGTP]i|[kMGTP]|)", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,4})(?P<unit>[smh])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_HOST_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST = rf"({_HOST_LABEL}(\.{_HOST_LABEL})*|\[[0-9a-fA-F:]+\])(:[0-9]{{1,5}})?"
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def allowing(words: str, *, secret: bool = False) -> Any:
    """Return metadata for a type: what it allows, as refusals and the documentation say it after "must be".

    Args:
        words: For the types that pydantic's constraints don't describe well enough.
        secret: Whether a rejected value may be a secret, so that refusals don't repeat it.
    """
    return Field(json_schema_extra={"allowed": words, **({"writeOnly": True} if secret else {})})


def pattern(expression: str) -> Any:
    """Return the constraint that all of a text matches a regular expression."""
    return Field(pattern=rf"^(?:{expression})$")


def bytes_of(quantity: str) -> int:
    """Return a Kubernetes quantity in bytes.

    Raises:
        ValueError: The text is not a quantity.
    """
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"not a quantity: {quantity}")
    return int(Decimal(match["number"]) * _UNITS[match["unit"]])


def seconds_of(duration: str) -> int:
    """Return a duration in seconds.

    Raises:
        ValueError: The text is not a duration.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"not a duration: {duration}")
    return int(match["number"]) * _SECONDS[match["unit"]]


def lasting(low: int, high: int) -> Predicate:
    """Return the constraint that a text is a duration within bounds, in seconds."""
    return Predicate(lambda text: _DURATION.fullmatch(text) is not None and low <= seconds_of(text) <= high)


def _is_reachable(url: str) -> bool:
    """Return whether the port of a URL is one, and its host a name or an address; HOST allows more than that."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if ":" in host or host.rpartition(".")[2].isdecimal():
            ip_address(host)
    except ValueError:
        return False
    return port != 0


# Of a URL whose host is HOST.
REACHABLE = Predicate(_is_reachable)


def _number(value: object) -> object:
    # `pulumi config set` stores a number with a decimal point as text.
    return float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_number)]
Percentage = Annotated[float, Field(ge=0, le=100), BeforeValidator(_number)]
PositivePercentage = Annotated[float, Field(ge=0.01, le=100), BeforeValidator(_number)]
Milliseconds = Annotated[float, Field(ge=0.001, le=600_000), BeforeValidator(_number)]
Quantity = Annotated[
    str,
    Predicate(lambda text: _QUANTITY.fullmatch(text) is not None and bytes_of(text) > 0),
    allowing('a quantity above zero with a unit, such as "512Mi" or "2Gi"'),
]
Duration = Annotated[
    str, lasting(10, 24 * 3600), allowing('a duration from 10 seconds to a day, such as "90s", "10m" or "1h"')
]
Delay = Annotated[
    str, pattern(r"[1-9][0-9]{0,4}ms|[1-9][0-9]?s"), allowing('a time from 1 ms to 99 s, such as "500ms" or "2s"')
]
ObjectName = Annotated[
    str,
    pattern(rf"{LABEL}(\.{LABEL})*"),
    Field(max_length=253),
    allowing("the name of a Kubernetes object: a-z, 0-9, - and ."),
]
# The names of labels and annotations, and classes of load balancers.
QualifiedName = Annotated[
    str,
    pattern(rf"({LABEL}(\.{LABEL})*/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?"),
    Field(max_length=317),
    allowing('a qualified name such as "example.com/internal"'),
]
DnsLabel = Annotated[
    str, pattern(LABEL), allowing("1 to 63 characters of a-z, 0-9 and -, starting and ending with a letter or digit")
]
NamespaceName = DnsLabel
DomainName = Annotated[
    str,
    pattern(rf"{LABEL}(\.{LABEL})*"),
    Field(max_length=100),  # names of Services come in front of it
    allowing('a DNS domain such as "cluster.local"'),
]
_LABEL_VALUE = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
Version = Annotated[
    str,
    pattern(_LABEL_VALUE),
    allowing('the value of a label as text, such as "v2" or "1.4.0"'),
]
LabelValue = Annotated[
    str,
    pattern(rf"({_LABEL_VALUE})?"),
    allowing('the value of a label as text, such as "ssd"'),
]


def _text(value: object) -> object:
    # `pulumi config set` turns text that looks like a number or a boolean into one.
    return to_json(value).decode() if isinstance(value, int) else value


Annotations = Annotated[
    dict[QualifiedName, Annotated[str, BeforeValidator(_text), allowing("text")]],
    Field(min_length=1),
    allowing('a mapping of at least one annotation, such as {"example.com/pool": "lab"}'),
]
