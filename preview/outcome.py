"""How a preview ends."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a pipeline learns; docs/preview.md has the table."""

    NO_CHANGE = 0
    FAILED = 2  # also what the command line gives for wrong usage
    CHANGE = 3
    REFUSED = 4
    INTERRUPTED = 130


class PreviewError(Exception):
    """A failure to tell the user about in plain words: what failed, why, and what to do next."""
