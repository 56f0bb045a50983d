"""The report is Markdown that a reviewer can act on, in a comment of bounded length, without a secret."""

from __future__ import annotations

import base64
import hashlib

from preview.changes import changes
from preview.masking import mask, values
from preview.report import MARKER, StackReport, render
from tests.unit.preview.engine_steps import DATABASE, manifest, replacement, step

PASSWORD = "kK3vT9" * 5


def report(*stacks: StackReport) -> str:
    return render("main (0123456)", "89abcdef", stacks)


def test_a_change_of_the_rate_is_one_changed_property() -> None:
    old, new = (manifest("ConfigMap", "multi-tier-load", data={"plan.json": f'{{"rps": {rps}}}'}) for rps in (50, 100))
    found = report(StackReport("lab", changes([step("update", old, new)])), StackReport("scaled"))
    assert found == (
        f"{MARKER}\n"
        "## What this change does\n"
        "\n"
        "`main (0123456)` → `89abcdef`\n"
        "\n"
        "| stack | created | changed | replaced | deleted | |\n"
        "|---|---:|---:|---:|---:|---|\n"
        "| lab |  | 1 |  |  | change |\n"
        "| scaled |  |  |  |  | no change |\n"
        "\n"
        "### lab\n"
        "\n"
        "**Changed, while it runs** (1)\n"
        "\n"
        "- ConfigMap `multi-tier-load`\n"
        '  - `data["plan.json"]`, in its JSON:\n'
        "    - `rps`: `50` → `100`\n"
    )


def test_a_refusal_stands_before_what_was_previewed_and_keeps_its_lines() -> None:
    refusal = (
        "The stack's configuration has a mistake; nothing was changed.\n  multi-tier:load.rps: 0 must be 1 or more"
    )
    found = report(StackReport("lab", changes(replacement(DATABASE, DATABASE)), refusals=[refusal]))
    assert "| lab |  |  | 1 |  | ❌ refused |" in found
    assert f"```text\n{refusal}\n```\n\nAs far as the preview got:" in found


def test_a_stack_that_could_not_be_previewed_says_why() -> None:
    found = report(StackReport("lab", failure="the engine is gone"))
    assert "| lab |  |  |  |  | ⚠️ not previewed |" in found
    assert "the engine is gone" in found


def test_a_text_that_changed_is_shown_by_its_lines() -> None:
    old, new = (manifest("ConfigMap", "a", data={"a.conf": f"one\n{two}\nthree\n"}) for two in ("two", "zwei"))
    found = report(StackReport("lab", changes([step("update", old, new)])))
    assert "    -two\n    +zwei\n" in found


def test_values_cannot_break_out_of_the_report() -> None:
    old, new = (manifest("ConfigMap", "a", data={"key": value}) for value in ("`a`", "b | c @someone"))
    found = report(StackReport("lab", changes([step("update", old, new)]), refusals=["```\n# not a title"]))
    assert "`` `a` `` → `b | c @someone`" in found
    assert "````text\n```\n# not a title\n````" in found


def test_many_objects_are_folded_away() -> None:
    steps = [step("create", None, manifest("ConfigMap", f"number-{index}")) for index in range(20)]
    found = report(StackReport("lab", changes(steps)))
    assert found.count("<details>") == found.count("</details>") == 1


def test_a_stack_that_is_too_long_leaves_the_others_their_room() -> None:
    steps = [step("create", None, manifest("ConfigMap", f"{'x' * 200}-{index}")) for index in range(500)]
    found = report(StackReport("lab", changes(steps)), StackReport("scaled", refusals=["no such thing"]))
    assert len(found) < 65_536
    assert "Too long for a comment" in found
    assert "no such thing" in found


def test_no_secret_is_in_the_report_in_plain_encoded_or_hashed() -> None:
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    hashed = hashlib.sha256(PASSWORD.encode()).hexdigest()
    secrets = values([{"data": {"password": encoded, "user": base64.b64encode(b"appuser").decode()}}])
    text = mask(f"appuser {PASSWORD} {encoded} {hashed}", secrets)
    assert text == "appuser [secret] [secret] [secret]"


def test_of_many_replaced_objects_those_with_losses_are_never_folded_away() -> None:
    steps = [step("delete", manifest("ConfigMap", f"number-{index}"), None) for index in range(20)]
    disk = manifest("DataVolume", "a-disk", spec={})
    found = report(StackReport("lab", changes([*steps, step("delete", disk, None)])))
    shown, _, folded = found.partition("<details><summary>20 others</summary>")
    assert "- DataVolume `a-disk`\n  - **lost**: everything on this disk" in shown
    assert "number-19" in folded


def test_an_identity_that_is_derived_from_the_previews_namespace_is_not_shown() -> None:
    old, new = (manifest("VirtualMachine", "a", spec={"firmware": {"uuid": uuid}}) for uuid in ("1-2", "3-4"))
    found = report(StackReport("lab", changes(replacement(old, new, "spec.firmware.uuid"))))
    assert "3-4" not in found
    assert "`spec.firmware.uuid`: another, derived from namespace and name" in found
