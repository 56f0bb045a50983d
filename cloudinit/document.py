"""A guest's user data: a cloud-config archive, built as data and dumped as YAML."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from cloudinit.guest_files import GuestFile, source

_OTHER_LINE_BREAKS = frozenset("\r\x85\u2028\u2029")


class _Dumper(yaml.CSafeDumper):
    """Writes multi-line text as a block, so that the files inside stay readable; libyaml is ten times as fast."""


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    if not _OTHER_LINE_BREAKS.isdisjoint(text):
        style: str | None = '"'  # the only style that keeps different line breaks apart
    else:
        # PyYAML falls back to a quoted scalar where a block can't hold the text exactly.
        style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def archive(
    *,
    files: Sequence[GuestFile],
    commands: Sequence[Sequence[str]],
    keys: Mapping[str, Any] | None = None,
) -> str:
    """Render user data: a cloud-config, a part handler that writes files, and the files.

    cloud-init parses a cloud-config five times before it writes what is below `write_files`, with a parser that takes
    50 ms for a tier's files. An archive's other parts are parsed once.

    Args:
        files: Files to write before any command runs.
        commands: Argument vectors to run once, in order.
        keys: More keys of the cloud-config, such as those of the disk modules (`fs_setup`, `mounts`).
    """
    config: dict[str, Any] = {
        "package_update": False,
        "package_upgrade": False,
        # One host key instead of four, and no keys on the console: saves seconds of boot time.
        "ssh_genkeytypes": ["ed25519"],
        "no_ssh_fingerprints": True,
        "ssh": {"emit_keys_to_console": False},
        # The one locale that every image has; any other would have to be generated.
        "locale": "C.UTF-8",
        # Leave the image's boot loader alone.
        "grub_dpkg": {"enabled": False},
        **(keys or {}),
        "runcmd": [list(command) for command in commands],
    }
    parts = [
        {"type": "text/cloud-config", "content": f"#cloud-config\n{_yaml(config)}"},
        {"type": "text/part-handler", "content": source("common/part_handler.py")},
        *({"type": f"text/x-file-{file.mode:04o}", "filename": file.path, "content": file.content} for file in files),
    ]
    return f"#cloud-config-archive\n{_yaml(parts)}"


def _yaml(document: object) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
