"""The cloud-config document: built as data, dumped as YAML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFile:
    """One file that cloud-init writes in the guest, owned by root."""

    path: str
    content: str
    mode: int = 0o644


SECRET = 0o600
PROGRAM = 0o755


_OTHER_LINE_BREAKS = frozenset("\r\x85\u2028\u2029")


class _Dumper(yaml.CSafeDumper):  # libyaml: ten times faster, the same bytes
    """Writes multi-line text as a block, so that a person can read the files inside."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    if not _OTHER_LINE_BREAKS.isdisjoint(text):
        style: str | None = '"'  # the only style that tells one line break from another
    else:
        # Where a block cannot hold the text exactly, PyYAML itself falls back to a quoted scalar.
        style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def cloud_config(
    *,
    hostname: str,
    files: Sequence[GuestFile],
    commands: Sequence[Sequence[str]],
    keys: Mapping[str, Any] | None = None,
) -> str:
    """Render a cloud-config.

    Args:
        hostname: The guest's short name.
        files: Files to write before any command runs.
        commands: Run once, in order, each an argument vector.
        keys: More keys, such as those of the disk modules (`fs_setup`, `mounts`).
    """
    document: dict[str, Any] = {
        "hostname": hostname,
        "package_update": False,
        "package_upgrade": False,
        # One host key instead of four, and nothing about keys on the console: seconds of boot time.
        "ssh_genkeytypes": ["ed25519"],
        "no_ssh_fingerprints": True,
        "ssh": {"emit_keys_to_console": False},
        # The one locale that every image has: another one would be generated, or fail to.
        "locale": "C.UTF-8",
        # The image's boot loader stays as it is.
        "grub_dpkg": {"enabled": False},
        **(keys or {}),
        "write_files": [
            {"path": file.path, "permissions": f"{file.mode:04o}", "content": file.content} for file in files
        ],
        "runcmd": [list(command) for command in commands],
    }
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return f"#cloud-config\n{body}"
