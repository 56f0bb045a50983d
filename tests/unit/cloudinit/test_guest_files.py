"""The files below cloudinit/files, each as what it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cloudinit
from cloudinit import Family
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, WITH_METRICS

SOURCES = Path(cloudinit.__file__).parent / "files"
SCRIPTS = sorted(SOURCES.rglob("*.sh"))


def test_shellcheck_has_nothing_to_say_about_any_script() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, *SCRIPTS], capture_output=True, text=True, check=False)
    assert SCRIPTS
    assert done.stdout == ""


def test_every_file_of_the_package_reaches_some_guest() -> None:
    everything = "".join(
        render(family) for render in (*EVERY_GUEST.values(), *WITH_METRICS.values()) for family in Family
    )
    flat = {line.strip() for line in everything.splitlines()}
    for path in SOURCES.rglob("*.*"):
        if path.suffix in {".sh", ".conf", ".service", ".timer", ".sql", ".js", ".fio"} or path.name in {
            "server.py",
            "plan.py",
        }:
            last = path.read_text(encoding="utf-8").strip().splitlines()[-1].strip()
            assert last in flat, f"{path.name} is in no user data"
