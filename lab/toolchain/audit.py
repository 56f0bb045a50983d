"""Known vulnerabilities of the locked Python packages, and of the programs that are built from Go modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.command import run
from lab.config import PROJECT
from lab.errors import LabError
from lab.progress import Progress
from lab.toolchain import binaries, cache

LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "policy/requirements.txt",
    "lab/toolchain/go-requirements.txt",
    "lab/toolchain/audit-requirements.txt",
)
_TOOL = PROJECT / "lab/toolchain/audit-requirements.txt"
_LAST_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known about a lock or a program.

    Attributes:
        subject: The lock or the program.
        vulnerabilities: A line for each.
        unchecked: Why not everything could be looked up; empty if it could.
    """

    subject: str
    vulnerabilities: tuple[str, ...] = ()
    unchecked: str = ""


def audits(progress: Progress) -> Iterator[Audit]:
    """Look up everything, one lock or program after the other.

    Raises:
        LabError: A tool or a program can't be installed or built.
    """
    tool = cache.get("pip-audit", cache.key([_TOOL.read_bytes()]), _install)
    for lock in LOCKS:
        with progress.step(f"Looking up the packages of {lock}"):
            yield _python(lock, tool)
    programs = {
        name: binaries.built(module.name, progress) / name for module in binaries.MODULES for name in module.programs
    }
    for name, program in programs.items():
        with progress.step(f"Looking up the modules of {name}"):
            yield _go(name, program, programs["govulncheck"])


def _install(destination: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes")
    run(*pip, "--target", destination, "-r", _TOOL, failure="pip-audit could not be installed", timeout=None)


def _python(lock: str, tool: Path) -> Audit:
    # Of a lock with hashes, pip would resolve nothing that isn't written there.
    options = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
    command = [sys.executable, "-m", "pip_audit", *options, "-r", str(PROJECT / lock)]
    environment = {**os.environ, "PYTHONPATH": str(tool)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return packages(lock, done.stdout) if done.stdout else Audit(lock, unchecked=_last_line(done.stderr))


def packages(lock: str, report: str) -> Audit:
    """Return what pip-audit reports about a lock; a package that the service doesn't know is not checked."""
    dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    found = [
        f"{one['name']} {one['version']}: {each['id']}, {_fixed(', '.join(each['fix_versions']))}"
        for one in dependencies
        for each in one.get("vulns", ())
    ]
    skipped = [one["skip_reason"] for one in dependencies if "skip_reason" in one]
    unchecked = f"{len(skipped)} of {len(dependencies)} packages: {skipped[0]}, ..." if skipped else ""
    return Audit(lock, tuple(found), unchecked)


def _go(name: str, program: Path, tool: Path) -> Audit:
    try:
        command = (tool, "-mode", "binary", "-format", "json", program)
        return modules(name, run(*command, failure="govulncheck failed", timeout=None))
    except LabError as error:
        return Audit(name, unchecked=_last_line(str(error)))


def modules(name: str, report: str) -> Audit:
    """Return what govulncheck reports about a program: a sequence of JSON objects."""
    decoder, found, text = json.JSONDecoder(), set[str](), report.lstrip()
    while text:
        message, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
        if finding := message.get("finding"):
            where = finding["trace"][0]
            fixed = _fixed(finding.get("fixed_version", ""))
            found.add(f"{where['module']} {where.get('version', '')}: {finding['osv']}, {fixed}")
    return Audit(name, tuple(sorted(found)))


def _fixed(versions: str) -> str:
    return f"fixed in {versions}" if versions else "not fixed"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1].strip()[-_LAST_CHARACTERS:]
