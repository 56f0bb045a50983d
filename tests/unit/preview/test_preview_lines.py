"""A refusal names the line of the stack's file that has to be mended."""

from __future__ import annotations

from preview.lines import with_lines

FILE = """\
# A comment.
config:
  multi-tier:web:
    memory: 64Mi
    image:
      containerDisk: a
  multi-tier:databse: {}
"""
NAME = "stacks/Pulumi.lab.yaml"


def located(message: str) -> str:
    return with_lines(message, NAME, FILE)


def test_each_setting_that_stands_in_the_file_gets_its_line() -> None:
    message = 'It has 2 mistakes.\n  multi-tier:databse: is unknown\n  multi-tier:web.memory: "64Mi" is: too little'
    assert located(message) == (
        "It has 2 mistakes.\n"
        f"  multi-tier:databse ({NAME}, line 7): is unknown\n"
        f'  multi-tier:web.memory ({NAME}, line 4): "64Mi" is: too little'
    )


def test_one_that_is_missing_gets_the_line_of_what_lacks_it() -> None:
    assert located("multi-tier:web.image.dataSource.name: is missing") == (
        f"multi-tier:web.image.dataSource.name ({NAME}, line 5): is missing"
    )


def test_what_stands_nowhere_in_the_file_gets_none() -> None:
    for message in ("multi-tier:load.rps: 0 is wrong", "error: no such thing", "a:b"):
        assert located(message) == message


def test_a_file_that_cannot_be_read_changes_nothing() -> None:
    assert with_lines("multi-tier:web.memory: no", NAME, "config: [") == "multi-tier:web.memory: no"
