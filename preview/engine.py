"""The Pulumi CLI, run on one stack of one checkout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import environment
from lab.config import Lab
from lab.errors import LabError
from preview.diagnostics import has_errors, refusals

_TIMEOUT_SECONDS = 180.0  # several times what a preview takes on two busy cores
_INHERITED = re.compile(
    "PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LANGUAGE|LC_[A-Z]+|PYTHON[A-Z]+|XDG_CACHE_HOME|SSL_CERT_(FILE|DIR)|"
    "(https?|no|all)_proxy|(HTTPS?|NO|ALL)_PROXY"
)
_UNREACHABLE = "Kubernetes cluster is unreachable"


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack with the program and the settings of one checkout.

    Attributes:
        lab: The control plane.
        backend: Directory of the state.
        name: Name of the stack.
        directory: The checkout.
        configuration: Copy of the stack file, which the engine may write to.
        overrides: Settings by full key that override those of the file.
    """

    lab: Lab
    backend: Path
    name: str
    directory: Path
    configuration: Path
    overrides: Mapping[str, str]

    def init(self) -> None:
        """Create the stack without resources.

        Raises:
            LabError: The engine failed.
        """
        self.backend.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = self._run("stack", "init", self.name, "--no-select")
        if done.returncode != 0:
            raise LabError(_output(done))

    def up(self) -> str:
        """Deploy the stack and return why that failed, or an empty string.

        Raises:
            LabError: The API server did not respond.
        """
        options = ("--yes", "--skip-preview", "--suppress-progress", "--suppress-outputs")
        done = self._run("up", *self._options(), *options)
        return "" if done.returncode == 0 else _output(done)

    def preview(self) -> dict[str, Any]:
        """Return the output of `pulumi preview --json`; `refusals` has the reasons if it failed.

        Raises:
            LabError: The engine failed without a result, or the API server did not respond.
        """
        # By default, the engine leaves out some steps.
        done = self._run("preview", *self._options(), "--json", "--show-sames", "--show-replacement-steps")
        if done.returncode < 0:
            raise LabError(f"`pulumi preview` was killed by signal {-done.returncode}. Try again.")
        try:
            digest = json.loads(done.stdout)
        except ValueError:
            raise LabError(_output(done)) from None
        if not isinstance(digest, dict):
            raise LabError(_output(done))
        if done.returncode != 0:
            return {**digest, "refusals": refusals(digest) or [_output(done)]}
        _check_complete(digest)
        return {**digest, "refusals": refusals(digest)} if has_errors(digest) else digest

    def _options(self) -> list[str]:
        settings = [word for key, value in self.overrides.items() for word in ("--config", f"{key}={value}")]
        return ["--stack", self.name, "--config-file", str(self.configuration), *settings]

    def _environment(self) -> dict[str, str]:
        """Return the variables for the engine and the change's code, which must not see this process's tokens."""
        variables = environment.process_environment(self.lab)
        wanted = environment.variables(self.lab)
        return {
            **{name: value for name, value in variables.items() if name in wanted or _INHERITED.fullmatch(name)},
            # Only this process sees the backend's address: the user's own login stays as it is.
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.lab.binaries / "pulumi"), *arguments, "--non-interactive", "--color=never"]
        # A session of its own, so that the engine's plugins can be killed with it.
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            raise LabError(f"`pulumi {arguments[0]}` took longer than {_TIMEOUT_SECONDS:.0f} s.") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if _UNREACHABLE in stdout + stderr:  # the engine continues regardless, without admission
            raise LabError("The preview's API server did not respond. Try again when the machine is less busy.")
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _check_complete(digest: Mapping[str, Any]) -> None:
    """Make sure that a preview contains every step that the engine counted, and at least the stack's own.

    Raises:
        LabError: It does not, so that nothing follows from what is missing.
    """
    found = Counter(step["op"] for step in digest.get("steps") or ())
    missing = [op for op, count in (digest.get("changeSummary") or {}).items() if found[op] < count]
    if not found or missing:
        raise LabError(
            f"The engine's preview is incomplete: {', '.join(missing) or 'all'} steps are missing. Try again."
        )


def _output(done: subprocess.CompletedProcess[str]) -> str:
    """Return the engine's diagnostics, or its whole output if there are none."""
    _, found, diagnostics = done.stdout.partition("Diagnostics:\n")
    text = diagnostics.partition("\nResources:\n")[0] if found else f"{done.stdout}\n{done.stderr}"
    return text.strip()[-4000:] or f"pulumi exited with code {done.returncode} and no output."
