"""Mistakes in a stack file are reported together, in one line each: key, value, and what is allowed."""

from __future__ import annotations

from tests.unit.components.settings.refused import accepted, refusals


def test_all_invalid_values_are_reported_together_in_the_order_of_their_keys() -> None:
    lines = refusals(
        {
            "createNamespace": "maybe",
            "database": {"vcpus": 0, "scale": 1000},
            "load": {"rps": 3000, "concurrency": 0, "burst": True},
            "web": {"image": {"dataSource": {}}},
        }
    )

    assert [line.split(": ")[0] for line in lines] == [
        "createNamespace",
        "database.vcpus",
        "load.burst",
        "load.concurrency",
        "web.image.dataSource.name",
        "web.image.dataSource.namespace",
    ]


def test_all_contradictions_are_reported_together_once_every_value_is_valid() -> None:
    contradictions = {"database": {"scale": 1000}, "load": {"rps": 3000, "concurrency": 1}, "web": {"image": {}}}
    invalid = {**contradictions, "createNamespace": "maybe"}

    assert [line.split(": ")[0] for line in refusals(invalid)] == ["createNamespace"]
    assert [line.split(": ")[0] for line in refusals(contradictions)] == [
        "database.dataDisk.size",
        "load.concurrency",
        "web.image",
    ]


def test_a_value_with_several_contradictions_is_reported_once() -> None:
    assert refusals({"load": {"image": {}}}) == [
        "load.image: only applies to a dedicated machine: set dedicated to true, or remove it"
    ]


def test_an_encrypted_value_is_refused_because_nothing_would_keep_it_secret_and_never_shown() -> None:
    secret = {"vcpus": "hunter2", "memory": "hunter2", "image": {"containerDisk": "hunter2 "}}
    contradiction = {"instancetype": "hunter2", "vcpus": 2}

    lines = refusals({"database": secret, "application": contradiction}, frozenset({"database", "application"}))

    assert "hunter2" not in str(lines)
    assert "database: is encrypted, but no setting is secret: store it in plain text" in lines
    assert "database.vcpus: must be a whole number from 1 to 128" in lines


def test_the_credentials_in_a_url_are_never_shown() -> None:
    for config in (
        {"proxy": {"https": "http://me:hunter2@proxy:3128"}},
        {"tracing": {"endpoint": "http://me:hunter2@collector"}},
        {"web": {"image": {"url": "https://me:hunter2@images.example/a.qcow2"}}},
    ):
        (line,) = refusals(config)
        assert "hunter2" not in line
        assert "//…@" in line


def test_a_long_value_is_cut_off() -> None:
    (line,) = refusals({"name": "a" * 64})

    assert line.startswith(f'name: "{"a" * 59}… must be')


def test_a_key_that_cannot_be_printed_is_escaped() -> None:
    (line,) = refusals({"load": {"a\nb": 1}})

    assert line.startswith(r"load.a\nb: is unknown")


def test_a_label_called_key_is_not_taken_for_a_key_error() -> None:
    assert len(refusals({"web": {"nodeSelector": {"[key]": True}}})) == 2


def test_numbers_with_a_decimal_point_are_accepted_as_pulumi_config_stores_them() -> None:
    settings = accepted({"gates": {"errorRate": "0.01", "total": {"p99": "12.5"}}})

    assert settings.gates.error_rate == 0.01
    assert settings.gates.total.p99 == 12.5
