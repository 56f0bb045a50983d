"""The report: Markdown for a comment on a pull request, and the exit code that goes with it."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import accumulate, takewhile
from typing import Any

from preview.changes import LOST, Action, Change, consequences
from preview.differences import ABSENT, UNKNOWN, Difference
from preview.markdown import block, cell, code, folded, name
from preview.masking import SECRET

MARKER = "<!-- multi-tier preview -->"  # pipelines find their earlier comment by this
_HEADING = "## What this change does"
_MAX_REPORT = 60_000  # characters; GitHub accepts 65,536 in a comment
_MAX_VALUE = 160
_MAX_LIST = 12  # items of a list that is not folded
# Derived from the namespace, which has another name in a preview.
_DERIVED = (".firmware.uuid", ".firmware.serial")
_TITLES = {
    Action.REPLACED: "Replaced",
    Action.DELETED: "Deleted",
    Action.UPDATED: "Updated in place",
    Action.CREATED: "Created",
    Action.IMPORTED: "Imported",
    Action.OTHER: "Other steps of the engine",
}
_RARE = (Action.IMPORTED, Action.OTHER)  # have a column only where they occur


class ExitCode(IntEnum):
    """Exit codes of the command, documented in docs/preview.md."""

    NO_CHANGE = 0
    FAILED = 2  # also a usage error
    CHANGE = 3
    REFUSED = 4
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class StackReport:
    """The result of one stack's preview.

    Attributes:
        stack: Name of the stack.
        changes: Changes to its objects, as far as the preview got.
        refusals: Why the change can't be deployed, in the words of the program or the API server.
        warnings: Their warnings.
        notes: What the preview did not check.
        failure: Why there is no preview.
        base_refusal: Why the base can't be deployed.
        removed: Whether the change removes the stack file.
    """

    stack: str
    changes: Sequence[Change] = ()
    refusals: Sequence[str] = ()
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()
    failure: str = ""
    base_refusal: str = ""
    removed: bool = False

    @property
    def result(self) -> str:
        """The result in a few words."""
        if self.failure:
            return "⚠️ not previewed"
        if self.refusals:
            return "❌ refused"
        if self.removed:
            return "file removed"
        return "change" if self.changes else "no change"

    @property
    def remarks(self) -> bool:
        """Whether there is something to say besides the changes."""
        return any((self.warnings, self.notes, self.base_refusal))


def exit_code(reports: Sequence[StackReport]) -> ExitCode:
    """Return the exit code for the results of all stacks."""
    if any(report.failure for report in reports):
        return ExitCode.FAILED
    if any(report.refusals for report in reports):
        return ExitCode.REFUSED
    return ExitCode.CHANGE if any(report.changes or report.removed for report in reports) else ExitCode.NO_CHANGE


def render(base: str, head: str, reports: Sequence[StackReport]) -> str:
    """Return the report.

    Args:
        base: Title of the base.
        head: Title of the working tree.
        reports: The results of the stacks.
    """
    lines = [MARKER, _HEADING, "", f"{code(base)} → {code(head)}", ""]
    found = {change.action for report in reports for change in report.changes}
    actions = [action for action in Action if action in found or action not in _RARE]
    lines += ["| stack | " + " | ".join(actions) + " | result |", "|---|" + "---:|" * len(actions) + "---|"]
    lines += [_row(report, actions) for report in reports]
    shown = [report for report in reports if report.result != "no change" or report.remarks]
    short = [_section(report, _essentials(report, _MAX_REPORT // (6 * len(shown)))) for report in shown]
    room = _MAX_REPORT - len("\n".join(lines)) - sum(map(len, short))
    for report, section in zip(shown, short, strict=True):
        whole = _section(report, _body(report))
        if len(whole) - len(section) <= room:
            room -= max(0, len(whole) - len(section))
            section = whole
        lines.append(section)
    return "\n".join(lines) + "\n"


def failed(message: str) -> str:
    """Return the report of a preview that failed before it came to the stacks."""
    return "\n".join([MARKER, _HEADING, "", "**Not previewed**:", *block(message)]) + "\n"


def _section(report: StackReport, body: Iterable[str]) -> str:
    return "\n".join(["", f"### {name(report.stack)}", *body])


def _essentials(report: StackReport, limit: int) -> Iterator[str]:
    """Yield what is never left out of a report: refusals, failures, warnings and losses, each of limited length."""
    clipped = replace(
        report,
        changes=(),
        notes=(),
        failure=_clipped(report.failure, limit),
        base_refusal=_clipped(report.base_refusal, limit),
        refusals=[_clipped("\n".join(report.refusals), limit)] if report.refusals else (),
        warnings=[_clipped("\n".join(report.warnings), limit)] if report.warnings else (),
    )
    yield from _body(clipped)
    losses = [
        (change, [text for text in consequences(change, report.changes) if LOST in text]) for change in report.changes
    ]
    items = ["\n".join(_heading(change, texts)) for change, texts in losses if texts]
    fitting = list(takewhile(lambda total: total <= limit, accumulate(map(len, items))))
    yield from ("", *items[: len(fitting)])
    if rest := len(items) - len(fitting):
        yield f"- {LOST}: by {rest} more objects"
    yield from ("", "The rest is omitted: the report would be too long for a comment.")


def _clipped(text: str, limit: int) -> str:
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}\n…\n{text[-half:]}"


def _row(report: StackReport, actions: Iterable[Action]) -> str:
    count = Counter(change.action for change in report.changes)
    cells = ["" if report.failure else str(count[action] or "") for action in actions]
    return f"| {cell(report.stack)} | {' | '.join(cells)} | {report.result} |"


def _body(report: StackReport) -> Iterator[str]:
    if report.failure:
        yield from ("", "This stack could not be previewed:", *block(report.failure))
    if report.base_refusal:
        reason = "The base of this stack can't be deployed, so every object shows as created:"
        yield from ("", reason, *block(report.base_refusal))
    if report.refusals:
        yield from ("", "**Refused.** `pulumi up` would fail with:", *block("\n".join(report.refusals)))
    if report.refusals and report.changes:
        yield from ("", "Changes found before that:")
    for action, title in _TITLES.items():
        if found := [change for change in report.changes if change.action is action]:
            yield from ("", f"**{title}** ({len(found)})", "")
            yield from _items(found, report.changes)
    if report.warnings:
        yield from ("", "**Warnings**", *block("\n".join(report.warnings)))
    yield from (line for note in report.notes for line in ("", f"_{note}_"))


def _items(found: Sequence[Change], all_changes: Sequence[Change]) -> Iterator[str]:
    """Yield the items of a list. In a long list, changes with consequences come first and the others are folded."""
    shown = [change for change in found if len(found) <= _MAX_LIST or consequences(change, all_changes)]
    yield from (line for change in shown for line in _item(change, all_changes))
    if rest := [change for change in found if change not in shown]:
        lines = [line for change in rest for line in _item(change, all_changes)]
        yield from ("", *folded(f"{len(rest)} {'more' if shown else 'objects'}", lines))


def _item(change: Change, all_changes: Sequence[Change]) -> Iterator[str]:
    yield from _heading(change, consequences(change, all_changes))
    lines = [line for difference in change.differences for line in _property(difference)]
    yield from folded(f"{len(change.differences)} properties", lines, "  ") if len(lines) > _MAX_LIST else lines


def _heading(change: Change, texts: Iterable[str]) -> Iterator[str]:
    renamed = f" → {code(change.name)}" if change.former_name != change.name else ""
    yield f"- {name(change.kind)} {code(change.former_name)}{renamed}"
    yield from (f"  - {text}" for text in texts)


def _property(difference: Difference) -> Iterator[str]:
    old, new = difference.old, difference.new
    path = code(difference.path)
    if difference.path.endswith(_DERIVED):
        yield f"  - {path}: changed (derived from namespace and name)"
    elif old == new == SECRET:
        yield f"  - {path}: changed (secret)"
    elif difference.nested:
        yield f"  - {path} (JSON):"
        yield from (f"  {line}" for one in difference.nested for line in _property(one))
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        yield f"  - {path}:"
        yield from (f"    {line}" for line in block(_text_difference(old, new), "diff"))
    elif old is ABSENT:
        yield f"  - {path}: {_value(new)} added"
    elif new is ABSENT:
        yield f"  - {path}: {_value(old)} removed"
    else:
        yield f"  - {path}: {_value(old)} → {_value(new)}"


def _text_difference(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def _value(value: Any) -> str:
    if value == UNKNOWN:
        return "_known after deployment_"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    text = text.replace(UNKNOWN, "(known after deployment)")
    return code(text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…")
