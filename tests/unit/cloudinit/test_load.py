"""The load generator in the user data: every module of the agent, and optional ones only when enabled."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import cloudinit
from cloudinit import Family
from tests.unit.cloudinit.guest_examples import document, installed, load_machine, parse, web, web_with_load

LIBRARY = "/usr/local/lib/virtwork"
SOURCES = Path(cloudinit.__file__).parent / "files" / "load"
OPTIONAL = {"agent/metrics.py", "agent/tracing.py", "agent/otlp.py"}
COLLECTOR = "http://collector:4318"

with_load = pytest.mark.parametrize("render", [load_machine, web_with_load], ids=["own machine", "on web"])


def modules(user_data: str) -> set[str]:
    paths = document(user_data)["write_files"]
    return {path.removeprefix(f"{LIBRARY}/load/") for path in paths if path.startswith(f"{LIBRARY}/load/")}


@with_load
def test_every_module_is_in_the_guest_at_its_own_path(render: Callable[..., str]) -> None:
    sources = {str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*") if path.suffix in (".py", ".js")}
    assert modules(render()) == sources - OPTIONAL
    assert modules(render(metrics=True, tracing=COLLECTOR)) == sources
    files = document(render())["write_files"]
    assert files[f"{LIBRARY}/load/load_plan.py"] == (SOURCES / "load_plan.py").read_text()


@with_load
def test_metrics_and_tracing_add_their_package_and_settings(render: Callable[..., str]) -> None:
    plain = document(render())["write_files"]
    assert not [package for package in installed(render()) if "prometheus" in package]
    assert not re.search("METRICS|TRACING", plain["/etc/virtwork/load.env"])

    assert installed(render(metrics=True))[-1] == "python3-prometheus-client"
    files = document(render(metrics=True, tracing=COLLECTOR))["write_files"]
    assert files["/etc/virtwork/load.env"].splitlines()[2:] == [
        'METRICS="1"',
        f'TRACING_ENDPOINT="{COLLECTOR}"',
        'TRACING_SERVICE="multi-tier-load"',
    ]


@pytest.mark.parametrize("family", Family)
def test_a_dedicated_machine_has_what_the_load_needs_and_no_web_tier(family: Family) -> None:
    rendered = document(load_machine(family))
    assert installed(load_machine(family)) == ["qemu-guest-agent", "curl", "ca-certificates", "python3"]
    assert not [path for path in rendered["write_files"] if "nginx" in path or "upstream" in path]
    assert "virtwork-node-exporter" in load_machine(family, metrics=True)
    assert "hostname" not in rendered, "it is in the metadata"


def test_both_places_run_the_same_load() -> None:
    own, on_web = document(load_machine())["write_files"], document(web_with_load())["write_files"]
    added = set(on_web) - set(document(web())["write_files"])
    assert {path: own[path] for path in added} == {path: on_web[path] for path in added}


@with_load
def test_the_token_is_in_one_file_for_root_alone(render: Callable[..., str]) -> None:
    holding = [file for file in parse(render(token="the-token"))["write_files"] if "the-token" in str(file)]
    assert [(file["path"], file["permissions"]) for file in holding] == [("/etc/virtwork/load-api/token", "0600")]
