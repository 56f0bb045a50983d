"""The report is valid Markdown of bounded length that a reviewer can act on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from markdown_it import MarkdownIt

from preview.changes import changes
from preview.report import MARKER, ExitCode, StackReport, exit_code, failed, render
from tests.unit.preview.engine_steps import DATABASE, machine, manifest, replacement, step


def report(*stacks: StackReport) -> str:
    return render("main (0123456)", "89abcdef", stacks)


def test_a_changed_rate_is_one_changed_property() -> None:
    old, new = (manifest("ConfigMap", "multi-tier-load", data={"plan.json": f'{{"rps": {rps}}}'}) for rps in (50, 100))
    found = report(StackReport("lab", changes([step("update", old, new)])), StackReport("scaled"))
    assert found == (
        f"{MARKER}\n"
        "## What this change does\n"
        "\n"
        "`main (0123456)` → `89abcdef`\n"
        "\n"
        "| stack | created | updated | replaced | deleted | result |\n"
        "|---|---:|---:|---:|---:|---|\n"
        "| lab |  | 1 |  |  | change |\n"
        "| scaled |  |  |  |  | no change |\n"
        "\n"
        "### lab\n"
        "\n"
        "**Updated in place** (1)\n"
        "\n"
        "- ConfigMap `multi-tier-load`\n"
        '  - `data["plan.json"]` (JSON):\n'
        "    - `rps`: `50` → `100`\n"
    )


def test_rare_steps_have_a_column_where_they_occur() -> None:
    steps = [step("import", None, manifest("ConfigMap", "a")), step("discard", manifest("ConfigMap", "b"), None)]
    found = report(StackReport("lab", changes(steps)), StackReport("scaled"))
    assert "| stack | created | updated | replaced | deleted | imported | other | result |" in found
    assert "| lab |  |  |  |  | 1 | 1 | change |\n| scaled |  |  |  |  |  |  | no change |" in found
    assert "**Imported** (1)\n\n- ConfigMap `a`" in found
    assert "**Other steps of the engine** (1)\n\n- ConfigMap `b`" in found


def test_a_refusal_comes_before_the_changes_and_keeps_its_lines() -> None:
    refusal = "The stack's configuration has an error.\n  multi-tier:load.rps: 0 must be 1 or more"
    found = report(StackReport("lab", changes(replacement(DATABASE, DATABASE)), refusals=[refusal]))
    assert "| lab |  |  | 1 |  | ❌ refused |" in found
    assert f"```text\n{refusal}\n```\n\nChanges found before that:" in found


def test_a_failed_preview_says_why() -> None:
    found = report(StackReport("lab", failure="the engine is gone"))
    assert "| lab |  |  |  |  | ⚠️ not previewed |" in found
    assert "the engine is gone" in found


def test_a_changed_text_is_shown_as_a_diff() -> None:
    old, new = (manifest("ConfigMap", "a", data={"a.conf": f"one\n{two}\nthree\n"}) for two in ("two", "zwei"))
    found = report(StackReport("lab", changes([step("update", old, new)])))
    assert "    -two\n    +zwei\n" in found


def test_values_cannot_break_out_of_their_markup() -> None:
    old, new = (manifest("ConfigMap", "a", data={"key": value}) for value in ("`a`", "b | c @someone"))
    found = report(StackReport("lab", changes([step("update", old, new)]), refusals=["```\n# not a title"]))
    assert "`` `a` `` → `b | c @someone`" in found
    assert "````text\n```\n# not a title\n````" in found


def test_a_long_list_is_folded() -> None:
    steps = [step("create", None, manifest("ConfigMap", f"number-{index}")) for index in range(20)]
    found = report(StackReport("lab", changes(steps)))
    assert found.count("<details>") == found.count("</details>") == 1


def long_stack(stack: str, **more: Any) -> StackReport:
    steps = [step("create", None, manifest("ConfigMap", f"{'x' * 200}-{index}")) for index in range(500)]
    lost = step("delete", manifest("DataVolume", "a-disk"), None)
    return StackReport(stack, changes([*steps, lost]), **more)


@pytest.mark.parametrize("order", [1, -1])
def test_a_report_that_is_too_long_keeps_every_refusal_failure_and_loss(order: int) -> None:
    stacks = [
        long_stack("lab", refusals=["x" * 70_000 + "\nthe reason"], warnings=["a warning"]),
        StackReport("scaled", failure="y" * 70_000 + "\nno such thing"),
        long_stack("spike", base_refusal="the base is broken"),
        *(long_stack(f"number-{index}", refusals=[f"reason {index}"]) for index in range(20)),
    ]
    found = report(*stacks[::order])
    assert len(found) < 65_536
    for text in (
        "the reason",
        "no such thing",
        "the base is broken",
        "a warning",
        *(f"reason {i}\n" for i in range(20)),
    ):
        assert text in found, text
    assert found.count("**Data lost**: everything on this disk") == 22
    assert found.count("too long for a comment") == 23
    assert interpreted(found)[-1][0] != "fence"


def test_a_short_stack_after_one_that_is_too_long_is_whole() -> None:
    found = report(long_stack("lab"), StackReport("scaled", changes([step("create", None, manifest("A", "b"))])))
    assert "- A `b`" in found


def test_a_failure_before_any_stack_is_a_report_too() -> None:
    assert failed("git is `gone`").startswith(f"{MARKER}\n## What this change does\n\n**Not previewed**:\n```text\ngit")


def test_objects_with_consequences_are_never_folded() -> None:
    steps = [step("delete", manifest("ConfigMap", f"number-{index}"), None) for index in range(20)]
    disk = manifest("DataVolume", "a-disk", spec={})
    found = report(StackReport("lab", changes([*steps, step("delete", disk, None)])))
    shown, _, folded = found.partition("<details><summary>20 more</summary>")
    assert "- DataVolume `a-disk`\n  - **Data lost**: everything on this disk" in shown
    assert "number-19" in folded


def test_an_identity_derived_from_the_previews_namespace_is_not_shown() -> None:
    old, new = (manifest("VirtualMachine", "a", spec={"firmware": {"uuid": uuid}}) for uuid in ("1-2", "3-4"))
    found = report(StackReport("lab", changes(replacement(old, new, "spec.firmware.uuid"))))
    assert "3-4" not in found
    assert "`spec.firmware.uuid`: changed (derived from namespace and name)" in found


@pytest.mark.parametrize(
    ("worst", "code"),
    [
        (StackReport("lab"), ExitCode.NO_CHANGE),
        (StackReport("lab", removed=True), ExitCode.CHANGE),
        (StackReport("lab", changes(replacement(DATABASE, DATABASE))), ExitCode.CHANGE),
        (StackReport("lab", changes([step("import", None, DATABASE)])), ExitCode.CHANGE),
        (StackReport("lab", changes([step("discard", DATABASE, None)])), ExitCode.CHANGE),
        (StackReport("lab", refusals=["no"]), ExitCode.REFUSED),
        (StackReport("lab", failure="no"), ExitCode.FAILED),
    ],
)
def test_the_exit_code_is_the_worst_of_all_stacks(worst: StackReport, code: ExitCode) -> None:
    assert exit_code([StackReport("scaled"), worst]) == code


HOSTILE = [
    "# Title",
    "a\n\n# Title",
    "a\r# Title",
    "[text](https://example.invalid)",
    "![image](https://example.invalid/a.png)",
    "<img src=https://example.invalid/a.png>",
    "<!-- multi-tier preview -->",
    "</details>",
    "@team",
    "a | b | no change |",
    "`code` **bold** _it_ ~~no~~",
    "https://example.invalid",
    "team/project#1 and #1",
    ":rocket:",
    "&lt;b&gt; \\",
]


def interpreted(markdown: str) -> list[tuple[str, str]]:
    """Return what Markdown makes of a text: each token's type and, except for code, its content."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = (child for token in parser.parse(markdown) for child in (token.children or [token]))
    return [(token.type, "" if token.type in ("code_inline", "fence") else token.content) for token in tokens]


def report_about(name: str) -> str:
    """Return a report in which everything that a change can choose is one name."""
    disks: list[dict[str, Any]] = [{"name": name, "dataVolume": {"name": name}}, {"name": name, "containerDisk": name}]
    machines = [machine(name, *disks), machine(name, disks[0], evictionStrategy=name)]
    values = [
        manifest("ConfigMap", name, data={name: value, "json": json.dumps({name: value})}) for value in ("1", name)
    ]
    steps = [
        *replacement(machines[0], machines[1]),
        step("update", values[0], values[1], urn=f"urn:pulumi:lab::tiers::core:ConfigMap::{name}"),
        {**step("create", None, {**manifest("A", name), "kind": name}), "urn": "urn:pulumi:lab::tiers::a:B::c"},
        {**step("discard", DATABASE, None), "op": name, "urn": "urn:pulumi:lab::tiers::a:B::d"},
    ]
    found = changes(steps, ("1", name))
    assert len(found) == 4
    stack = StackReport(name, found, refusals=[name, name], warnings=[name], base_refusal=name)
    return render(name, name, [stack, StackReport(name, failure=name), StackReport("lab")])


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_the_change_is_interpreted_as_markdown(name: str) -> None:
    harmless = "lines\n\nof text" if "\n" in name else "a name"
    assert interpreted(report_about(name)) == interpreted(report_about(harmless))


def test_characters_that_no_reader_sees_are_shown() -> None:
    found = report(StackReport("a\u202eb\x1bc", warnings=["d\u2066e\tf"]))
    assert "`a\\u202eb\\x1bc`" in found
    assert "d\\u2066e\tf" in found
