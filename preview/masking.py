"""A last look at the report: whatever the engine took for secret or not, no secret of the base's is in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping

from preview.differences import SECRET

# Shorter ones, such as a user's name, are words that may stand anywhere.
_SHORTEST = 12


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return the text without the secrets, and without what gives them away: encodings and hashes of them."""
    for secret in sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True):
        data = secret.encode()
        hashes = (hashlib.new(name, data).hexdigest() for name in ("sha256", "sha1", "md5", "sha512"))
        for form in (secret, base64.b64encode(data).decode(), *hashes):
            text = text.replace(form, SECRET)
    return text


def values(secrets: Iterable[Mapping[str, Mapping[str, str]]]) -> set[str]:
    """Return what Kubernetes Secrets hold, decoded."""
    held = (value for secret in secrets for value in (secret.get("data") or {}).values())
    return {base64.b64decode(value).decode(errors="replace") for value in held}
