"""The configuration of the stack that is being deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pulumi
import pytest

from components import configuration


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Configure the program as the engine does, until the end of the test."""
    monkeypatch.setattr(pulumi, "get_project", lambda: "multi-tier")
    yield pulumi.runtime.set_all_config
    pulumi.runtime.set_all_config({}, [])


def test_keys_of_other_packages_are_ignored(configured: Callable[..., None]) -> None:
    configured({"kubernetes:context": "prod", "multi-tier:name": "shop"}, [])

    assert configuration.load().name == "shop"


def test_mistakes_end_the_program_without_a_traceback(configured: Callable[..., None]) -> None:
    configured({"multi-tier:name": "Shop"}, [])

    with pytest.raises(pulumi.RunError, match=r'multi-tier:name: "Shop" must be'):
        configuration.load()


def test_an_encrypted_setting_is_refused_and_not_shown(configured: Callable[..., None]) -> None:
    configured({"multi-tier:name": "hunter2"}, ["multi-tier:name"])

    with pytest.raises(pulumi.RunError, match=r"multi-tier:name: is encrypted") as refused:
        configuration.load()
    assert "hunter2" not in str(refused.value)
