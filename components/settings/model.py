"""The base of every settings model: immutable, camelCase in YAML, and able to report its own contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Location = tuple[str | int, ...]
"""Keys and list indices that lead to a value."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Values that are valid on their own but not together.

    Attributes:
        key: Dotted key of the value to report, with the numbers of items of lists, relative to the model that reports
            it; empty for the model itself.
        problem: What is wrong and how to fix it; it follows the key and its value.
    """

    key: str
    problem: str


class Model(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield the contradictions between this model's own values."""
        yield from ()

    def all_contradictions(self) -> Iterator[tuple[Location, str]]:
        """Yield the location and problem of each contradiction in this model and in the models that it contains."""
        for found in self.contradictions():
            keys = found.key.split(".") if found.key else ()
            yield tuple(int(key) if key.isdigit() else key for key in keys), found.problem
        for location, model in self._nested_models():
            for inner, problem in model.all_contradictions():
                yield (*location, *inner), problem

    def _nested_models(self) -> Iterator[tuple[Location, Model]]:
        for name, value in self:
            alias = to_camel(name)
            if isinstance(value, Model):
                yield (alias,), value
            elif isinstance(value, list):
                yield from (((alias, index), item) for index, item in enumerate(value) if isinstance(item, Model))
