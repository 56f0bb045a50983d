"""Keeping secrets out of the report: in objects, in the differences between them, and in the finished text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

SECRET = "[secret]"  # noqa: S105 - what the engine prints in place of a secret
_SHORTEST = 12  # shorter values, such as a user name, are ordinary words


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return the text without the secrets and without their encodings and hashes."""
    for secret in sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True):
        data = secret.encode()
        hashes = (hashlib.new(name, data).hexdigest() for name in ("sha256", "sha1", "md5", "sha512"))
        for form in (secret, base64.b64encode(data).decode(), *hashes):
            text = text.replace(form, SECRET)
    return text


def secret_values(secrets: Iterable[Mapping[str, Mapping[str, str]]]) -> set[str]:
    """Return the decoded values of Kubernetes Secrets."""
    values = (value for secret in secrets for value in (secret.get("data") or {}).values())
    return {base64.b64decode(value).decode(errors="replace") for value in values}


def without_data(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Kubernetes Secret with every value masked, whether or not the engine knows that it is secret.

    The API stores `stringData` as `data`, and the provider shows either.
    """
    rest = {key: value for key, value in manifest.items() if key not in ("data", "stringData")}
    data = [manifest[field] for field in ("data", "stringData") if field in manifest]
    if not all(isinstance(values, Mapping) for values in data):
        return {**rest, "data": SECRET}
    return {**rest, "data": dict.fromkeys((key for values in data for key in values), SECRET)}


def is_masked(tree: Any, path: str) -> bool:
    """Whether the value at a path, in the engine's notation (`a.b[0]["c.d"]`), or one of its parents is masked."""
    for quoted, index, key in re.findall(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        if tree == SECRET:
            return True
        if index:
            tree = tree[int(index)] if isinstance(tree, list) and int(index) < len(tree) else None
        else:
            tree = tree.get(quoted or key) if isinstance(tree, Mapping) else None
    return bool(tree == SECRET)
