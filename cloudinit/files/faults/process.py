"""Faults of the tier's service: its processes are killed, or stand still."""

from __future__ import annotations

from .commands import attempt, run


class Kill:
    """Kills all processes of a unit at once; systemd starts it again, as after any crash.

    Args:
        unit: Name or pattern of the unit.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit

    def begin(self) -> str:
        """Kill them."""
        run("systemctl", "kill", "--signal=KILL", self._unit)
        return ""

    def end(self) -> None:
        """Do nothing: it is over."""

    def undo(self) -> None:
        """Do nothing: systemd starts the unit again."""


class Freeze:
    """Stops all processes of a unit, as a virtual machine that its host doesn't run.

    Args:
        unit: Name or pattern of the unit.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit

    def begin(self) -> str:
        """Stop them."""
        for _ in range(2):  # the second time those that were forked during the first
            run("systemctl", "kill", "--signal=STOP", self._unit)
        return ""

    def end(self) -> None:
        """Let them go on."""
        self.undo()

    def undo(self) -> None:
        """Let them go on, if they don't."""
        attempt("systemctl", "kill", "--signal=CONT", self._unit)
