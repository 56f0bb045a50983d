"""A new setting is one field: it is parsed, refused, documented and passed on without being registered anywhere."""

from __future__ import annotations

from functools import partial
from typing import Any

import pulumi
import pytest
from pydantic import Field

from components import configuration, tier
from components.settings import Settings
from components.settings.refusals import parse
from components.settings.schema import schema_of
from components.settings.tiers import WebSettings
from components.settings.values import Quantity
from components.virtual_machine import VirtualMachineArgs, virtual_machine
from tests.unit.components.mocks import deploy
from tests.unit.components.settings.refused import accepted, refusals
from tests.unit.docs.test_configuration_reference import Setting, settings_of

QUANTITY = 'a quantity above zero with a unit, such as "512Mi" or "2Gi"'


class ExtendedWeb(WebSettings):
    """The web tier with one more setting."""

    buffer_size: Quantity = Field(default="8Ki", description="Size of a response buffer.")


class ExtendedStack(Settings):
    """A stack with that web tier."""

    web: ExtendedWeb = Field(default=ExtendedWeb(), description="The web machines.")


def test_it_is_parsed() -> None:
    assert accepted({"web": {"bufferSize": "16Ki"}}, ExtendedStack).web == ExtendedWeb(buffer_size="16Ki")
    assert accepted({}, ExtendedStack).web == ExtendedWeb()


def test_a_wrong_value_and_a_misspelt_key_are_refused() -> None:
    assert refusals({"web": {"bufferSize": "big", "buffersize2": 1}}, model=ExtendedStack) == [
        f'web.bufferSize: "big" must be {QUANTITY}',
        "web.buffersize2: is unknown; did you mean bufferSize?",
    ]


def test_it_is_in_the_reference() -> None:
    reference = dict(settings_of(schema_of(ExtendedStack)))

    assert reference["web.bufferSize"] == Setting("`8Ki`", QUANTITY, "Size of a response buffer.")


def test_it_reaches_the_code_that_declares_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}

    def consumer(name: str, args: VirtualMachineArgs, opts: pulumi.ResourceOptions) -> pulumi.Resource:
        found[name] = getattr(args.machine, "buffer_size", None)
        return virtual_machine(name, args, opts)

    monkeypatch.setattr(configuration, "parse", partial(parse, model=ExtendedStack))
    monkeypatch.setattr(tier, "virtual_machine", consumer)
    deploy({"web": {"bufferSize": "16Ki"}})

    assert found == {"database-0": None, "application-0": None, "web-0": "16Ki"}
