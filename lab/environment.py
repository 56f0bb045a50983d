"""`.lab/env`: shell settings with which plain `pulumi` and `kubectl` work on the lab."""

from __future__ import annotations

import os
import shlex
from urllib.parse import quote

from lab.config import Lab
from lab.files import write_private


def variables(lab: Lab) -> dict[str, str]:
    """Return the variables that point Pulumi and kubectl at the lab."""
    backend = {"PULUMI_BACKEND_URL": f"file://{quote(str(lab.backend))}"}
    if lab.simulated:
        backend = {
            "PULUMI_BACKEND_URL": lab.state_service,
            "PULUMI_ACCESS_TOKEN": lab.state_token.read_text().strip(),
            # Milliseconds in which it collects entries; the service is too near for its 50.
            "PULUMI_JOURNALING_BATCH_PERIOD": "5",
        }
    return {
        "KUBECONFIG": str(lab.kubeconfig),
        **backend,
        # Empty on purpose: stacks/Pulumi.lab.yaml contains its salt (docs/decisions/0003-lab-passphrase.md).
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_HOME": str(lab.plugins.parent),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The providers are installed. A download would fail on a closed network.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def process_environment(lab: Lab) -> dict[str, str]:
    """Return this process's environment with the lab's tools and settings."""
    return {**os.environ, **variables(lab), "PATH": f"{lab.binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def write(lab: Lab) -> None:
    """Write `.lab/env` and create the backend that it names."""
    lab.backend.mkdir(mode=0o700, exist_ok=True)
    logs = lab.plugins.with_name("logs")
    if not logs.exists():
        # Where this is no directory, the engine doesn't log every value that it passes on. That is nearly half of its
        # work (measured), and has no other switch in 3.255.
        logs.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables(lab).items()]
    lines.append(f'export PATH={shlex.quote(str(lab.binaries))}:"$PATH"')
    write_private(lab.root / "env", ("\n".join(lines) + "\n").encode())
