"""Refusals are reported in the words of the program and the engine, with the lines of invalid settings."""

from __future__ import annotations

import pytest

from preview.diagnostics import refusals, shortened, warnings, with_lines

DENIED = 'preview failed: admission webhook "virtualmachine-validator.kubevirt.io" denied the request'
DIGEST = {
    "diagnostics": [
        {"message": "error: The stack's configuration has 2 errors.\n\n", "severity": "info#err"},
        {"message": "  multi-tier:load.rps: 0 is wrong\n\n", "severity": "info#err"},
        {"message": "  multi-tier:web.vcpu: is unknown\n\n", "severity": "info#err"},
        {"message": f"error: {DENIED}\n", "severity": "error"},
        {"message": f"error: {DENIED}\n", "severity": "error"},
        {"message": "error: preview failed\n", "severity": "error"},
        {"message": 'warning: unknown field "spec.a"\n', "severity": "warning"},
        {"message": "a log line", "severity": "info"},
    ]
}
STACK_FILE = """\
# A comment.
config:
  multi-tier:web:
    memory: 64Mi
    image:
      containerDisk: a
  multi-tier:databse: {}
"""
NAME = "stacks/Pulumi.lab.yaml"


def test_the_programs_output_is_joined_and_comes_before_the_engines_errors() -> None:
    assert refusals(DIGEST) == [
        "The stack's configuration has 2 errors.\n  multi-tier:load.rps: 0 is wrong\n  multi-tier:web.vcpu: is unknown",
        DENIED,
    ]


def test_warnings_are_separate() -> None:
    assert warnings({**DIGEST, "refusals": refusals(DIGEST)}) == ['unknown field "spec.a"']
    assert warnings({"diagnostics": None}) == []


def test_each_setting_in_the_file_gets_its_line() -> None:
    message = '2 errors.\n  multi-tier:databse: is unknown\n  multi-tier:web.memory: "64Mi" is: too little'
    assert with_lines(message, NAME, STACK_FILE) == (
        "2 errors.\n"
        f"  multi-tier:databse ({NAME}, line 7): is unknown\n"
        f'  multi-tier:web.memory ({NAME}, line 4): "64Mi" is: too little'
    )


def test_a_missing_setting_gets_the_line_of_its_parent() -> None:
    assert with_lines("multi-tier:web.image.dataSource.name: is missing", NAME, STACK_FILE) == (
        f"multi-tier:web.image.dataSource.name ({NAME}, line 5): is missing"
    )
    assert with_lines("multi-tier:web.image[0]: is wrong", NAME, STACK_FILE) == (
        f"multi-tier:web.image[0] ({NAME}, line 5): is wrong"
    )


def test_a_refusal_by_a_hook_of_the_program_gets_its_line_too() -> None:
    message = shortened('before hook "data-disk-update" failed: multi-tier:web.memory: would delete everything')
    expected = f"multi-tier:web.memory ({NAME}, line 4): would delete everything"
    assert with_lines(message, NAME, STACK_FILE) == expected


@pytest.mark.parametrize("message", ["multi-tier:load.rps: 0 is wrong", "error: no such thing", "a:b"])
def test_a_message_about_nothing_in_the_file_is_unchanged(message: str) -> None:
    assert with_lines(message, NAME, STACK_FILE) == message
    assert with_lines(message, NAME, "config: [") == message
