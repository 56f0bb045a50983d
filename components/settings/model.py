"""What every group of settings is: immutable, camelCase in YAML, and able to say what contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Settings that are right by themselves and wrong together.

    Attributes:
        keys: the dotted keys that take part; the first one is where the refusal points.
        problem: what is wrong and what to do, as it follows the first key and its value.
    """

    keys: tuple[str, ...]
    problem: str


class Model(BaseModel):
    """What all settings share: immutable, camelCase in YAML, and nothing that isn't known."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
