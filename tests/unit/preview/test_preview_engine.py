"""What the engine says of a refusal is told in its own words, once, and in order."""

from __future__ import annotations

from preview.engine import refusals, warnings

DENIED = 'preview failed: admission webhook "virtualmachine-validator.kubevirt.io" denied the request'
DIGEST = {
    "diagnostics": [
        {
            "message": "error: The stack's configuration has 2 mistakes; nothing was changed.\n\n",
            "severity": "info#err",
        },
        {"message": "  multi-tier:load.rps: 0 is wrong\n\n", "severity": "info#err"},
        {"message": "  multi-tier:web.vcpu: is unknown\n\n", "severity": "info#err"},
        {"message": f"error: {DENIED}\n", "severity": "error"},
        {"message": f"error: {DENIED}\n", "severity": "error"},
        {"message": "error: preview failed\n", "severity": "error"},
        {"message": 'warning: unknown field "spec.a"\n', "severity": "warning"},
        {"message": "a log line", "severity": "info"},
    ]
}


def test_what_the_program_wrote_stands_together_and_before_what_the_engine_adds() -> None:
    assert refusals(DIGEST) == [
        "The stack's configuration has 2 mistakes; nothing was changed.\n"
        "  multi-tier:load.rps: 0 is wrong\n"
        "  multi-tier:web.vcpu: is unknown",
        DENIED,
    ]


def test_warnings_are_told_apart() -> None:
    assert warnings(DIGEST) == ['unknown field "spec.a"']
    assert warnings({"diagnostics": None}) == []
