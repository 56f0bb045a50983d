"""The files that guests get: every source reaches a guest, scripts are clean, no value escapes its quoting."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from functools import cache, partial
from pathlib import Path

import pytest
import yaml
from jinja2 import UndefinedError

import cloudinit
from cloudinit import Family
from cloudinit.constants import (
    APPLICATION_ACCOUNT,
    DRAIN_SECONDS,
    DRAINING,
    LIBRARY,
    OPEN_FILES,
    PROGRAMS,
    SETTINGS,
    UNITS,
)
from cloudinit.guest_files import shell_settings, source, unit_settings
from tests.unit.cloudinit.guest_examples import COLLECTOR, EVERY_GUEST, HOSTILE, WITH_METRICS, load_machine, parse

hostile = pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
SOURCES = Path(cloudinit.__file__).parent / "files"


def every_guest() -> tuple[Callable[[Family], str], ...]:
    return (*EVERY_GUEST.values(), *WITH_METRICS.values(), partial(load_machine, metrics=True, tracing=COLLECTOR))


@cache
def every_content() -> set[str]:
    """Return the text of all parts of all guests' user data."""
    documents = (yaml.load(guest(family), yaml.CSafeLoader) for guest in every_guest() for family in Family)
    return {part["content"] for document in documents for part in document}


def test_shellcheck_finds_nothing_in_any_script(tmp_path: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    scripts = [text for text in every_content() if text.startswith(("#!/bin/sh", "# shellcheck shell=sh"))]
    for number, text in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(text, encoding="utf-8")
    done = subprocess.run([shellcheck, *tmp_path.iterdir()], capture_output=True, text=True, check=False)
    assert len(scripts) > 10
    assert done.stdout == ""


def test_every_file_of_the_package_reaches_some_guest() -> None:
    everything = "".join(every_content())
    for path in SOURCES.rglob("*.*"):
        if path.suffix != ".pyc":
            literals = re.split(r"\{[{%].*?[%}]\}", path.read_text(encoding="utf-8"))
            assert max(literals, key=len).strip() in everything, path


@hostile
def test_a_hostile_value_stays_inside_its_shell_setting(value: str) -> None:
    script = shell_settings(FIRST=value, SECOND=2) + 'printf "%s|%s" "$FIRST" "$SECOND"'
    done = subprocess.run(["sh", "-eu"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == f"{value}|2"


@hostile
def test_a_hostile_value_stays_inside_its_unit_setting(value: str) -> None:
    # systemd reads double quotes as a shell does (systemd.exec, EnvironmentFile=); shlex knows two of the escapes.
    line = unit_settings(NAME=value).replace("\\$", "$").replace("\\`", "`")
    assert shlex.split(line) == [f"NAME={value}"]


def test_no_unit_that_is_restarted_is_given_up_after_quick_failures() -> None:
    restarted = [text for text in every_content() if re.search("^Restart=", text, re.MULTILINE)]
    assert len(restarted) > 8
    for unit in restarted:
        section = unit.partition("[Service]")[0]
        assert "StartLimitIntervalSec=0" in section.splitlines(), unit
        assert re.search(r"^RestartSec=[12]$", unit, re.MULTILINE), unit


def test_the_application_and_nginx_may_open_enough_files_for_their_connections() -> None:
    limited = [text for text in every_content() if f"LimitNOFILE={OPEN_FILES}\n" in text]
    assert sorted("uvicorn" in text for text in limited) == [False, True]


def test_a_draining_application_closes_no_connection_that_nginx_may_still_use() -> None:
    (idle,) = (int(found) for text in every_content() for found in re.findall(r"keepalive_timeout (\d+)s;'", text))
    assert 0 < idle < DRAIN_SECONDS


def test_every_path_of_ours_in_a_file_is_a_file_that_some_guest_gets() -> None:
    # Scripts and units state paths as they are; this keeps them equal to the constants that place the files.
    rendered = {
        file["path"] for guest in every_guest() for family in Family for file in parse(guest(family))["write_files"]
    }
    nginx = {f"/etc/nginx/virtwork/upstream.{name}" for name in ("conf", "loaded")}
    written = {
        f"{UNITS}/virtwork-.service.d/restart-pauses.conf",
        f"{SETTINGS}/postgresql-size.conf",
        DRAINING,
        "/var/lib/logrotate/virtwork.status",
        "/var/lib/virtwork-credentials/password",
        "/var/lib/virtwork-credentials/certificate",
        "/run/virtwork-faults/metrics",
        "/run/virtwork-started",
    }
    elsewhere = {"/etc/nginx/virtwork", *nginx, *written}
    named = {path for text in every_content() for path in re.findall(r"(?<![\w}])/[\w./*-]*virtwork[\w./*-]*", text)}
    assert len(named) > 20
    for path in named - elsewhere:
        assert any(fnmatch(one, path) or one.startswith(f"{path}/") for one in rendered), path
    commands = {name for text in every_content() for name in re.findall(r"^ *(virtwork-[\w-]+) ", text, re.MULTILINE)}
    assert {f"{PROGRAMS}/{name}" for name in commands} <= rendered
    assert LIBRARY in named
    assert SETTINGS in named


def test_accounts_in_scripts_are_those_of_the_constants() -> None:
    named = {name for text in every_content() for name in re.findall(r"systemd-sysusers (\S+)\.conf", text)}
    assert named == {APPLICATION_ACCOUNT}


def test_a_template_with_an_undefined_name_is_rejected() -> None:
    with pytest.raises(UndefinedError, match="'user' is undefined"):
        source("web/nginx.conf.j2")
