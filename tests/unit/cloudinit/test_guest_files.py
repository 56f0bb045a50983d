"""The files that guests get."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cloudinit
from cloudinit import Family
from tests.unit.cloudinit.guest_examples import COLLECTOR, EVERY_GUEST, WITH_METRICS, load_machine, parse

SOURCES = Path(cloudinit.__file__).parent / "files"


def every_content() -> set[str]:
    guests: tuple[Callable[[Family], str], ...] = (
        *EVERY_GUEST.values(),
        *WITH_METRICS.values(),
        partial(load_machine, metrics=True, tracing=COLLECTOR),
    )
    documents = (parse(guest(family)) for guest in guests for family in Family)
    return {file["content"] for document in documents for file in document["write_files"]}


def test_shellcheck_has_nothing_to_say_about_any_script(tmp_path: Path) -> None:
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
