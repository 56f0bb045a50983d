"""Writes the files that follow in the user data, as cloud-init's `write_files` does; a part's type ends in the mode."""

from __future__ import annotations

from cloudinit import util  # type: ignore[attr-defined]  # of cloud-init's package, which has this one's name


def list_types() -> list[str]:
    """Return the types of the parts to be called with, as cloud-init asks."""
    return ["text/x-file-0600", "text/x-file-0644", "text/x-file-0755"]


def handle_part(_data: object, content_type: str, filename: str, payload: str) -> None:
    """Write one part's file. cloud-init calls this once per instance, and before the first part and after the last."""
    if content_type in list_types():
        util.write_file(filename, payload, mode=int(content_type[-4:], base=8))
