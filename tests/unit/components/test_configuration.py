"""The configuration of the stack that is being deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pulumi
import pytest
import yaml

from components import configuration
from lab.config import PROJECT


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


def test_an_old_engine_is_refused_because_it_would_keep_old_guests(
    configured: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = 'Pulumi CLI version 3.200.0 does not satisfy the version range ">=3.208.0"'

    def refuse(versions: str) -> None:
        assert versions == configuration.ENGINE
        raise RuntimeError(problem)

    monkeypatch.setattr(pulumi, "require_pulumi_version", refuse)
    configured({}, [])

    with pytest.raises(pulumi.RunError) as refused:
        configuration.load()
    assert str(refused.value) == f"This program needs a Pulumi CLI of version >=3.208.0: {problem}"


def test_the_project_requires_the_same_engine() -> None:
    project = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())

    assert project["requiredPulumiVersion"] == configuration.ENGINE


def test_an_encrypted_setting_is_refused_and_not_shown(configured: Callable[..., None]) -> None:
    configured({"multi-tier:name": "hunter2"}, ["multi-tier:name"])

    with pytest.raises(pulumi.RunError, match=r"multi-tier:name: is encrypted") as refused:
        configuration.load()
    assert "hunter2" not in str(refused.value)
