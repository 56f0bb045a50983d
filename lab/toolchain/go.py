"""Running the Go toolchain: the one on the PATH, else the one that is published as a Python package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError
from lab.progress import Step
from lab.toolchain import cache

_REQUIREMENTS = Path(__file__).parent / "go-requirements.txt"
_OLDEST = (1, 26)  # what the modules' go.mod files ask for


def _version(program: str) -> tuple[int, int]:
    done = subprocess.run(
        [program, "env", "GOVERSION"], capture_output=True, text=True, env=_environment(), check=False
    )
    match = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _environment() -> dict[str, str]:
    # GOTOOLCHAIN=local: never download another toolchain. GOFLAGS: what go.mod and go.sum pin, and nothing else.
    return {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -trimpath",
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }


def _install(destination: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--require-hashes",
        "--target",
        str(destination),
    ]
    done = subprocess.run([*command, "-r", str(_REQUIREMENTS)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"Go is not on the PATH and could not be installed: {done.stderr.strip()[-800:]}")


def _program(step: Step) -> str:
    found = shutil.which("go")
    if found and _version(found) >= _OLDEST:
        return found
    step.say("installing Go")
    return str(cache.get("go", cache.key([_REQUIREMENTS.read_bytes()]), _install) / "go" / "bin" / "go")


def build(module: Path, package: str, output: Path, linker_flags: str, step: Step) -> None:
    """Build one program.

    Args:
        module: the directory with go.mod and go.sum.
        package: what to build.
        output: the program's file.
        linker_flags: for the linker.
        step: is told which package is being compiled.

    Raises:
        LabError: the build failed; the message ends with Go's own words.
    """
    command = [_program(step), "build", "-v", f"-ldflags={linker_flags}", "-o", str(output), package]
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=module, env=_environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        for count, line in enumerate(process.stderr or (), 1):
            said = [*said[-20:], line.rstrip()]
            step.say(f"{count} packages, now {line.strip()[:60]}")
    if process.returncode != 0:
        ending = "\n".join(line for line in said if not re.fullmatch(r"[\w./~-]+", line)) or "\n".join(said)
        raise LabError(
            f"Building {output.name} failed. Run the same command again to go on where it stopped. Go said:\n{ending}"
        )


def download(module: Path, paths: Iterable[str], step: Step) -> dict[str, Path]:
    """Download modules without building anything, and return where their files are.

    Args:
        module: the directory with the go.mod that requires them and the go.sum that they are checked by.
        paths: the modules' paths.
        step: is told when Go itself has to be installed.

    Raises:
        LabError: one of them can't be had, or isn't what go.sum says.
    """
    command = [_program(step), "mod", "download", "-json", *paths]
    done = subprocess.run(command, cwd=module, env=_environment(), capture_output=True, text=True, check=False)
    # One JSON object after another, each over several lines, and no list around them.
    answers = [json.loads(text + "}") for text in done.stdout.split("\n}")[:-1]]
    wrong = [answer["Error"] for answer in answers if "Error" in answer]
    if done.returncode != 0 or wrong:
        raise LabError(f"`go mod download` failed in {module}: {(wrong or [done.stderr])[0].strip()[-800:]}")
    return {answer["Path"]: Path(answer["Dir"]) for answer in answers}
