"""The Pulumi CLI, run on one stack of one checkout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import environment
from lab.config import Lab
from preview.outcome import PreviewError

# Several times what it takes on two busy cores; without an end where something is waited for that never comes.
_SECONDS = 180.0
_UNREACHABLE = "Kubernetes cluster is unreachable"
_SIDE_EFFECTS = ("--non-interactive", "--color=never")


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack in a backend of its own, with the settings of one version of it.

    Attributes:
        lab: the control plane.
        backend: directory with the stack's state.
        name: the stack's name.
        directory: the checkout that is run.
        configuration: the stack's file, a copy: the engine writes to it.
        overrides: settings, by full key, that stand before those of the file.
    """

    lab: Lab
    backend: Path
    name: str
    directory: Path
    configuration: Path
    overrides: Mapping[str, str]

    def make(self) -> None:
        """Make the stack, without any resources.

        Raises:
            PreviewError: the engine failed.
        """
        self.backend.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._checked("stack", "init", self.name, "--no-select")

    def up(self) -> str:
        """Deploy the stack; return what is wrong with it, or nothing.

        Raises:
            PreviewError: the API server didn't answer.
        """
        options = ("--yes", "--skip-preview", "--suppress-progress", "--suppress-outputs")
        done = self._run("up", *self._options(), *options)
        if done.returncode == 0:
            return ""
        said = _said(done)
        _refuse_unreachable(said)
        return said

    def preview(self) -> dict[str, Any]:
        """Return what `pulumi preview --json` says, and with `refusals` why the change is refused, if it is.

        Raises:
            PreviewError: the engine failed before it said anything, or the API server didn't answer it.
        """
        done = self._run("preview", *self._options(), "--json")
        _refuse_unreachable(done.stdout)
        try:
            digest: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise PreviewError(_said(done)) from None
        return digest if done.returncode == 0 else {**digest, "refusals": refusals(digest) or [_said(done)]}

    def _options(self) -> list[str]:
        settings = [word for key, value in self.overrides.items() for word in ("--config", f"{key}={value}")]
        return ["--stack", self.name, "--config-file", str(self.configuration), *settings]

    def _checked(self, *arguments: str) -> None:
        done = self._run(*arguments)
        if done.returncode != 0:
            raise PreviewError(_said(done))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # The backend's address goes to the engine alone: what the caller is logged in to is never touched.
        variables = {
            **environment.process_environment(self.lab),
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [str(self.lab.binaries / "pulumi"), *arguments, *_SIDE_EFFECTS]
        # In a session of its own, so that what the engine started can be ended with it.
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise PreviewError(f"`pulumi {arguments[0]}` took longer than {_SECONDS:.0f} s.") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def warnings(digest: Mapping[str, Any]) -> list[str]:
    """Return what a preview warns of, each once."""
    return list(dict.fromkeys(text.strip() for severity, text in _messages(digest) if severity == "warning"))


def refusals(digest: Mapping[str, Any]) -> list[str]:
    """Return why a preview failed: in the engine's words and its providers', and in those that the program wrote."""
    found = list(dict.fromkeys(text.strip() for severity, text in _messages(digest) if severity == "error"))
    # The program's standard error comes in pieces.
    written = "".join(text.rstrip("\n") + "\n" for severity, text in _messages(digest) if severity == "info#err")
    reasons = [text for text in found if text != "preview failed"]
    return [text for text in (written.strip(), *(reasons or found)) if text]


def _messages(digest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in digest.get("diagnostics") or ():
        yield one["severity"], one["message"].removeprefix("error: ").removeprefix("warning: ")


def _refuse_unreachable(said: str) -> None:
    """Refuse what an engine says that could not ask the API server: a preview goes on without its answers."""
    if _UNREACHABLE in said:
        raise PreviewError(
            "The preview's API server didn't answer in time. Run it again when the machine is less busy."
        )


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """Return the engine's diagnostics, or all it said where it has none."""
    _, found, diagnostics = done.stdout.partition("Diagnostics:\n")
    text = diagnostics.partition("\nResources:\n")[0] if found else f"{done.stdout}\n{done.stderr}"
    return text.strip()[-4000:] or f"pulumi ended with code {done.returncode} and said nothing."
