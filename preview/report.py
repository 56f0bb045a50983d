"""The report: Markdown for a comment on a pull request."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from preview.changes import Change, Verdict
from preview.consequences import consequences
from preview.differences import ABSENT, SECRET, UNKNOWN, Difference

# By this a pipeline finds the comment that it wrote before.
MARKER = "<!-- multi-tier preview -->"
# GitHub takes 65,536 characters in a comment.
_LONGEST_REPORT = 60_000
_LONGEST_VALUE = 160
_LONGEST_LIST = 12  # of created objects or changed properties; more are folded away
# In a preview a namespace has another name, so what is derived from it is not what a cluster will show.
_DERIVED = (".firmware.uuid", ".firmware.serial")
_TITLES = {
    Verdict.CREATED: "Created",
    Verdict.CHANGED: "Changed, while it runs",
    Verdict.REPLACED: "Replaced",
    Verdict.DELETED: "Deleted",
}


@dataclass(frozen=True, slots=True)
class StackReport:
    """What became of one stack's preview.

    Attributes:
        stack: its name.
        changes: what is done to its objects, where the preview got that far.
        refusals: why the change can't be deployed, as the program or the API server put it.
        warnings: what they say besides.
        notes: what a reader has to know of how this was found out.
        failure: why there is no preview at all.
        base_refusal: why the base can't be deployed itself.
        removed: whether the change removes the stack's file, and with it nothing of a stack that is up.
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
    def verdict(self) -> str:
        """The stack's last column in the first table."""
        if self.failure:
            return "⚠️ not previewed"
        if self.refusals:
            return "❌ refused"
        if self.removed:
            return "file removed"
        return "change" if self.changes else "no change"


def render(base: str, head: str, stacks: Iterable[StackReport]) -> str:
    """Return the whole report.

    Args:
        base: what is compared with, as a person calls it.
        head: what is compared, likewise.
        stacks: what became of each stack.
    """
    reports = list(stacks)
    lines = [MARKER, "## What this change does", "", f"{_code(base)} → {_code(head)}", ""]
    lines += ["| stack | " + " | ".join(Verdict) + " | |", "|---|" + "---:|" * len(Verdict) + "---|"]
    lines += [_row(report) for report in reports]
    room = _LONGEST_REPORT - len("\n".join(lines))
    for report in reports:
        if report.verdict == "no change" and not any((report.warnings, report.notes, report.base_refusal)):
            continue
        title = f"### {report.stack}"
        section = ["", title, *_body(report)]
        if len("\n".join(section)) > room:
            section = ["", title, "", "Too long for a comment: `make preview` on a checkout of this change shows it."]
        lines += section
        room -= len("\n".join(section))
    return "\n".join(lines) + "\n"


def _row(report: StackReport) -> str:
    count = Counter(change.verdict for change in report.changes)
    cells = ["" if report.failure else str(count[verdict] or "") for verdict in Verdict]
    return f"| {report.stack} | {' | '.join(cells)} | {report.verdict} |"


def _body(report: StackReport) -> Iterator[str]:
    if report.failure:
        yield from ("", "There is no preview of this stack:", *_block(report.failure))
    if report.base_refusal:
        why = "This stack's base is refused itself, so everything shows as created:"
        yield from ("", why, *_block(report.base_refusal))
    if report.refusals:
        yield from ("", "**Refused.** `pulumi up` would stop with:", *_block("\n".join(report.refusals)))
    if report.refusals and report.changes:
        yield from ("", "As far as the preview got:")
    for verdict in (Verdict.REPLACED, Verdict.DELETED, Verdict.CHANGED, Verdict.CREATED):
        found = [change for change in report.changes if change.verdict is verdict]
        if found:
            yield from ("", f"**{_TITLES[verdict]}** ({len(found)})", "")
            yield from _items(found, report.changes)
    if report.warnings:
        yield from ("", "**Warnings**", *_block("\n".join(report.warnings)))
    yield from (line for note in report.notes for line in ("", f"_{note}_"))


def _items(found: Sequence[Change], all_changes: Sequence[Change]) -> Iterator[str]:
    """Yield a list's items; of a long one those that a reader must not miss come first, and the rest is folded away."""
    notable = [change for change in found if len(found) <= _LONGEST_LIST or consequences(change, all_changes)]
    yield from (line for change in notable for line in _item(change, all_changes))
    if rest := [change for change in found if change not in notable]:
        lines = [line for change in rest for line in _item(change, all_changes)]
        yield from ("", *_folded(f"{len(rest)} {'others' if notable else 'objects'}", lines))


def _item(change: Change, all_changes: Sequence[Change]) -> Iterator[str]:
    renamed = f" → {_code(change.name)}" if change.former_name != change.name else ""
    yield f"- {change.kind} {_code(change.former_name)}{renamed}"
    yield from (f"  - {sentence}" for sentence in consequences(change, all_changes))
    lines = [line for difference in change.differences for line in _property(difference)]
    yield from _folded(f"{len(change.differences)} properties", lines, "  ") if len(lines) > _LONGEST_LIST else lines


def _property(difference: Difference) -> Iterator[str]:
    old, new = difference.old, difference.new
    path = _code(difference.path)
    if difference.path.endswith(_DERIVED):
        yield f"  - {path}: another, derived from namespace and name"
    elif old == new == SECRET:
        yield f"  - {path}: a secret, changed"
    elif difference.inside:
        yield f"  - {path}, in its JSON:"
        yield from (f"  {line}" for one in difference.inside for line in _property(one))
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        yield f"  - {path}:"
        yield from (f"    {line}" for line in _block(_text_difference(old, new), "diff"))
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
        return "_known when it is done_"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    text = text.replace(UNKNOWN, "(known when it is done)")
    return _code(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…")


def _code(text: str) -> str:
    """Return text as code within a line, whatever is in it."""
    line = text.replace("\n", "⏎")
    fence = _fence(line, 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def _block(text: str, language: str = "text") -> list[str]:
    """Return text as a block of code, whatever is in it."""
    fence = _fence(text, 3)
    return [f"{fence}{language}", *text.splitlines(), fence]


def _fence(text: str, shortest: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(shortest, longest + 1)


def _folded(title: str, lines: Iterable[str], indent: str = "") -> Iterator[str]:
    yield from (f"{indent}<details><summary>{title}</summary>", "", *lines, "", f"{indent}</details>")
