"""`.lab/env`: the shell settings with which plain `pulumi` and `kubectl` work on the lab."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from lab.cluster.certificates import write_private
from lab.config import Lab


def backend(lab: Lab) -> Path:
    """Return the directory of Pulumi's file backend: the stacks' state."""
    return lab.root / "pulumi"


def plugins(lab: Lab) -> Path:
    """Return where the engine looks for providers that are installed, in the layout of `pulumi plugin install`."""
    return lab.root / "pulumi-home" / "plugins"


def variables(lab: Lab) -> dict[str, str]:
    """Return the variables that point Pulumi and kubectl at the lab."""
    return {
        "KUBECONFIG": str(lab.kubeconfig),
        "PULUMI_BACKEND_URL": f"file://{backend(lab)}",
        # Empty on purpose: stacks/Pulumi.lab.yaml holds the salt for it (docs/decisions/0003-lab-passphrase.md).
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_HOME": str(plugins(lab).parent),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The providers are installed; never look for a download, which a closed network would refuse.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def process_environment(lab: Lab) -> dict[str, str]:
    """Return this process's environment with the lab's tools and settings."""
    return {**os.environ, **variables(lab), "PATH": f"{lab.binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def write(lab: Lab) -> Path:
    """Write `.lab/env` and make the backend that it names; return its path."""
    backend(lab).mkdir(mode=0o700, exist_ok=True)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables(lab).items()]
    lines.append(f'export PATH={shlex.quote(str(lab.binaries))}:"$PATH"')
    path = lab.root / "env"
    write_private(path, ("\n".join(lines) + "\n").encode())
    return path
