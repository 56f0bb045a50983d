"""Whatever a configuration contains, it is refused in words, or what it renders is valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, assume, given, settings
from kubernetes.utils.quantity import parse_quantity

from components.settings.refusals import ConfigurationError, parse
from tests.unit.cloudinit.guest_examples import parse as parse_cloud_config
from tests.unit.components.mocks import Deployment, deploy
from tests.unit.components.settings.arbitrary import Config, configurations, deployable, raw, wrong_configurations

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(\.{LABEL})*")
QUALIFIED = re.compile(rf"((?=[^/]{{1,253}}/){LABEL}(\.{LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
# As in the reference grammar of container images (distribution/reference).
PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
DOMAIN = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]+)?"
IMAGE = re.compile(rf"(docker://)?({DOMAIN}/)?{PART}(/{PART})*(:\w[\w.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?", re.ASCII)
LARGEST_OBJECT = 1024**2


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wrong_configurations())
def test_whatever_is_refused_has_a_line_for_each_error(config: Config) -> None:
    try:
        parse(raw(config))
    except ConfigurationError as error:
        head, *lines = str(error).split("\n")
        assert re.fullmatch(r"The stack's configuration has (an error|[0-9]+ errors); nothing was changed\.", head)
        assert lines
        for line in lines:
            assert line.isprintable(), ascii(line)
            assert re.match(r"  multi-tier:.*: \S", line), line
            assert len(line) < 700, line


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(configurations())
def test_whatever_is_accepted_renders_valid_objects(config: Config) -> None:
    assume(deployable(config))
    for _, value in leaves(config):
        if str(value).startswith("http"):
            check_url(str(value))
    deployment = deploy(config)

    names = [(resource.type, resource.object_name) for resource in deployment.objects]
    assert len(set(names)) == len(names)
    for resource in deployment.objects:
        check_metadata(resource.inputs["metadata"])
        assert len(str(resource.inputs)) < LARGEST_OBJECT
        for path, value in leaves(resource.inputs):
            check_value(path, value)
    for machine in deployment.machines:
        check_machine(deployment, machine)


def check_metadata(metadata: Config) -> None:
    assert SUBDOMAIN.fullmatch(metadata["name"])
    for key, value in metadata.get("labels", {}).items():
        assert QUALIFIED.fullmatch(key), key
        assert VALUE.fullmatch(value), value
    for key, value in metadata.get("annotations", {}).items():
        assert QUALIFIED.fullmatch(key), key
        assert isinstance(value, str)


def check_value(path: tuple[str, ...], value: object) -> None:
    assert value is not None, path
    match path[-1]:
        case "image" | "url" if "http" not in str(value):
            assert IMAGE.fullmatch(str(value)), value
        case "url":
            check_url(str(value))
        case "guest" | "storage" | "memory" | "cpu":
            assert parse_quantity(value) > 0


def check_machine(deployment: Deployment, machine: str) -> None:
    assert re.fullmatch(LABEL, machine), "the name is the guest's host name"
    instance = deployment.instance(machine)
    assert {disk["name"] for disk in instance["domain"]["devices"]["disks"]} == set(deployment.volumes(machine))
    document = parse_cloud_config(deployment.user_data(machine))
    paths = [file["path"] for file in document["write_files"]]
    assert len(set(paths)) == len(paths)
    for file in document["write_files"]:
        assert file["content"].isascii() or file["path"].startswith("/usr/local"), "settings are ASCII"


def check_url(url: str) -> None:
    parts = urlsplit(url)
    assert parts.hostname, url
    assert parts.port is None or 0 < parts.port < 65536, url
    if parts.hostname.rpartition(".")[2].isdigit() or ":" in parts.hostname:
        ip_address(parts.hostname)
    else:
        assert re.fullmatch(rf"{LABEL}(\.{LABEL})*", parts.hostname, re.IGNORECASE), url


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value
