"""Reading a kubeconfig: where the server is, and the certificates or token that the user has."""

from __future__ import annotations

import base64
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.config import LabError


@dataclass(frozen=True, slots=True)
class Access:
    """What a kubeconfig's current context gives: the server's URL, a TLS context, and a token or None."""

    server: str
    context: ssl.SSLContext
    token: str | None


def read(path: Path) -> Access:
    """Return the access that a kubeconfig's current context gives; programs that fetch credentials are not run.

    Raises:
        LabError: the file is missing, or holds no such context.
    """
    try:
        config = yaml.safe_load(path.read_text())
        current = _named(config, "context", config["current-context"])
        cluster, user = _named(config, "cluster", current["cluster"]), _named(config, "user", current["user"])
        context = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority", path))
        if any(key.startswith("client-certificate") for key in user):
            _load_pair(context, _pem(user, "client-certificate", path) + _pem(user, "client-key", path))
        return Access(cluster["server"].rstrip("/"), context, user.get("token"))
    except (OSError, KeyError, TypeError, StopIteration, ValueError, yaml.YAMLError) as error:
        raise LabError(f"{path} can't be used as a kubeconfig: {type(error).__name__}: {error}") from None


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in config[f"{kind}s"] if item["name"] == name)[kind]
    return found


def _pem(entry: dict[str, Any], key: str, path: Path) -> str:
    """Return a certificate or key that stands in the file itself or in one beside it."""
    if f"{key}-data" in entry:
        return base64.b64decode(entry[f"{key}-data"]).decode()
    beside: Path = path.parent / entry[key]
    return beside.read_text()


def _load_pair(context: ssl.SSLContext, pem: str) -> None:
    """Load a certificate and its key, which `ssl` takes from files only, without putting them on a disk."""
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
