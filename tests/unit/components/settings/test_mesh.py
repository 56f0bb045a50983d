"""Settings of the service mesh: policies, faults, and a canary."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.refused import accepted, named, refusals

OFF = "has no effect while enabled is false: set it to true, or remove this"
PERCENTAGE = "must be a number from 0 to 100"
DELAY = 'must be a time from 1 ms to 99 s, such as "500ms" or "2s"'
VERSION = 'must be the value of a label as text, such as "v2" or "1.4.0"'
LABEL = "must be 1 to 63 characters of a-z, 0-9 and -, starting and ending with a letter or digit"
CANARY: dict[str, Any] = {"version": "v2", "weight": 10}


def fault(**found: Any) -> dict[str, Any]:
    return {"enabled": True, "faults": {"application": found}}


MESHES: list[tuple[dict[str, Any], str]] = [
    ({"enabled": True, "revision": "a" * 64}, f'revision: "{"a" * 59}… {LABEL}'),
    ({"revision": "canary"}, f'revision: "canary" {OFF}'),
    ({"authorization": True}, f"authorization: true {OFF}"),
    ({"faults": {"web": {"abort": {"httpStatus": 503}}}}, f"faults: {OFF}"),
    ({"enabled": True, "mutualTls": "DISABLE"}, 'mutualTls: "DISABLE" must be STRICT or PERMISSIVE'),
    (fault(), "faults.application: needs delay or abort"),
    (fault(delay={"percentage": 10}), "faults.application.delay.fixedDelay: is missing"),
    (fault(delay={"fixedDelay": "0ms"}), f'faults.application.delay.fixedDelay: "0ms" {DELAY}'),
    (fault(delay={"fixedDelay": "2m"}), f'faults.application.delay.fixedDelay: "2m" {DELAY}'),
    (
        fault(delay={"fixedDelay": "2s", "percentage": 101}),
        f"faults.application.delay.percentage: 101 {PERCENTAGE}",
    ),
    (
        fault(abort={"httpStatus": 503, "percentage": -0.5}),
        f"faults.application.abort.percentage: -0.5 {PERCENTAGE}",
    ),
    (
        fault(abort={"httpStatus": 600}),
        "faults.application.abort.httpStatus: 600 must be a whole number from 200 to 599",
    ),
    (
        {"enabled": True, "faults": {"database": {"abort": {"httpStatus": 503}}}},
        "faults.database: is unknown here; it belongs to gates",
    ),
]
CANARIES: list[tuple[dict[str, Any], str]] = [
    ({"weight": 10}, "version: is missing"),
    ({"version": "v2"}, "weight: is missing"),
    ({"version": "v2", "weight": 101}, "weight: 101 must be a whole number from 0 to 100"),
    ({"version": "v 2", "weight": 10}, f'version: "v 2" {VERSION}'),
    ({"version": "v1", "weight": 10}, "version: \"v1\" is the tier's own version: a mesh can't tell them apart"),
    (
        {**CANARY, "image": {"containerDisk": "quay.io/containerdisks/fedora:44"}},
        'image.containerDisk: "quay.io/containerdisks/fedora:44" belongs to the fedora family, but family is debian',
    ),
]


@pytest.mark.parametrize(("mesh", "line"), named(MESHES))
def test_a_mistake_about_the_mesh_is_reported_in_one_line(mesh: dict[str, Any], line: str) -> None:
    assert refusals({"mesh": mesh}) == [f"mesh.{line}"]


@pytest.mark.parametrize(("canary", "line"), named(CANARIES))
def test_a_mistake_about_the_canary_is_reported_in_one_line(canary: dict[str, Any], line: str) -> None:
    config = {"mesh": {"enabled": True}, "application": {"canary": canary}}

    assert refusals(config) == [f"application.canary.{line}"]


def test_a_canary_needs_a_mesh() -> None:
    (line,) = refusals({"application": {"canary": CANARY}})

    assert line.startswith("application.canary: ")
    assert line.endswith("needs mesh.enabled: only a mesh sends it its share of the requests")


def test_the_machines_of_a_canary_need_connections_to_the_database_too() -> None:
    (line,) = refusals(
        {"mesh": {"enabled": True}, "application": {"replicas": 17, "canary": {**CANARY, "replicas": 1}}}
    )

    assert line.endswith("use at most 17, canary.replicas included")


def test_a_percentage_may_have_a_fraction() -> None:
    # `pulumi config set` stores it as text.
    settings = accepted({"mesh": fault(abort={"httpStatus": 503, "percentage": "0.5"})})

    assert settings.mesh.faults.application
    assert settings.mesh.faults.application.abort
    assert settings.mesh.faults.application.abort.percentage == 0.5
