"""Who may read a machine or a ConfigMap may not always read Secrets, and their values stand in logs and previews."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

from rules.manifest import UNKNOWN, Manifest, Marked, Path, Rule, shown

# Those that know a form. Those that measure randomness take a UUID or a hash for a key.
_DETECTORS = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "JwtTokenDetector",
    "KeywordDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
_SETTINGS = {"plugins_used": [{"name": name} for name in _DETECTORS]}
# What such a key holds is where a secret is, and not the secret.
_REFERENCES = ("name", "ref", "path", "mode", "kind")
# The detectors want quotes, as in a program; files of settings and cloud-config have none.
_SETTING = re.compile(r"""[\s-]*([\w./-]+)\s*[:=]\s*["']?(.*?)["']?,?\s*""")
# A password for /etc/shadow: what begins with a dollar sign is a variable to the detectors.
_HASH = re.compile(r"\$(?:1|2[aby]|5|6|7|y|gy)\$[^\s:]{8,}")


def _problems(manifest: Manifest) -> Iterator[str]:
    if (manifest.group, manifest.kind) == ("", "Secret"):
        return
    with transient_settings(_SETTINGS):
        yield from _found(manifest.body, ())


def _found(tree: Any, path: Path) -> Iterator[str]:
    if isinstance(tree, Marked):
        yield f"{shown(path)} is secret: keep it in a Secret and refer to that."
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _found(value, (*path, str(key)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _found(value, (*path, f"[{index}]"))
    elif isinstance(tree, str) and tree is not UNKNOWN:
        for kind in sorted(_looks_like(path[-1] if path else "", tree)):
            yield f"{shown(path)} looks like a secret ({kind}): keep it in a Secret and refer to that."


def _looks_like(key: str, text: str) -> set[str]:
    lines = [f"{key}: {text}"] if len(text.splitlines()) == 1 else text.splitlines()
    kinds = {"Password Hash"} if _HASH.search(text) else set()
    for line in lines:
        setting = _SETTING.fullmatch(line)
        if setting and setting[1].lower().endswith(_REFERENCES):
            continue
        for form in {line, f'{setting[1]} = "{setting[2]}"' if setting else line}:
            kinds |= {secret.type for secret in scan_line(form)}
    return kinds


SECRECY = Rule("no-secret-outside-secrets", "Nothing secret stands outside of Secret objects.", _problems)
