"""The database password, and the other secrets: they stay in Secrets and are marked as secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from tests.unit.cloudinit.guest_examples import document
from tests.unit.components.mocks import PASSWORD, SCALED, TOKEN, deploy, is_secret, plain, public

CONFIGS: list[dict[str, Any]] = [
    {},
    SCALED,
    {
        "database": {"family": "fedora", "image": {"dataSource": {"name": "fedora42", "namespace": "golden"}}},
        "load": {"enabled": False},
    },
]


@pytest.mark.parametrize("config", CONFIGS)
def test_passwords_and_tokens_are_in_secrets_only_and_marked_as_secret(config: dict[str, Any]) -> None:
    for resource in deploy(config).resources:
        shown = json.dumps(public(resource.wire)) + str(resource.request.replacement_trigger)
        hidden = json.dumps(plain(resource.wire))

        for secret in (PASSWORD, TOKEN):
            assert secret not in shown, resource.urn
            assert secret not in hidden or resource.kind == "Secret", resource.urn


@pytest.mark.parametrize("config", CONFIGS)
def test_user_data_is_marked_as_secret(config: dict[str, Any]) -> None:
    user_data = [
        resource.wire["stringData"]
        for resource in deploy(config).of_kind("Secret")
        if resource.object_name.endswith("-cloud-init")
    ]

    assert user_data
    assert all(is_secret(data) or is_secret(data["userdata"]) for data in user_data)


def test_a_replacement_trigger_is_a_plain_hash_because_the_engine_ignores_changes_of_a_secret_one() -> None:
    for machine in deploy().of_kind("VirtualMachine"):
        assert len(machine.request.replacement_trigger.string_value) == 64


def test_the_password_is_random_and_needs_no_quoting() -> None:
    (password,) = (r for r in deploy().resources if r.type == "random:index/randomPassword:RandomPassword")

    assert password.inputs["length"] >= 32
    assert password.inputs["special"] is False


@pytest.mark.parametrize(("version", "keepers"), [(1, None), (2, {"version": "2"}), (3, {"version": "3"})])
def test_another_version_makes_a_new_password(version: int, keepers: dict[str, str] | None) -> None:
    deployment = deploy({"database": {"passwordVersion": version}})
    (password,) = (r for r in deployment.resources if r.type == "random:index/randomPassword:RandomPassword")

    assert password.inputs.get("keepers") == keepers


def test_the_password_is_in_one_secret_that_guests_read_and_in_no_user_data() -> None:
    deployment = deploy()
    credentials = {"username": DATABASE_USER, "password": PASSWORD, "database": DATABASE_NAME}

    assert deployment.object("Secret", "multi-tier-credentials").inputs["stringData"] == credentials
    assert not [name for name in deployment.machines if PASSWORD in deployment.user_data(name)]
    for tier in ("database", "application"):
        files = document(deployment.user_data(f"multi-tier-{tier}-0"))["write_files"]
        assert 'SECRET="multi-tier-credentials"' in files["/etc/virtwork/credentials.env"].splitlines()
