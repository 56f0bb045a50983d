"""Tools of this machine are run, and failures reported, in one way."""

from __future__ import annotations

import pytest
import typer

from lab.command import run
from lab.errors import LabError, run_command_line


def test_a_tools_output_is_returned() -> None:
    assert run("cat", stdin="text") == "text"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("sh", "-c", "echo out; echo why >&2; exit 1"), "`sh -c 'echo out; echo why >&2; exit 1'` failed: why"),
        (("sh", "-c", "echo out; exit 1"), "`sh -c 'echo out; exit 1'` failed: out"),
        (("no-such-tool",), "`no-such-tool` failed: [Errno 2] No such file or directory: 'no-such-tool'"),
    ],
)
def test_a_failure_names_the_command_and_the_reason(command: tuple[str, ...], message: str) -> None:
    with pytest.raises(LabError) as failure:
        run(*command)
    assert str(failure.value) == message


def test_a_tool_that_hangs_is_a_failure_too() -> None:
    with pytest.raises(LabError, match=r"The disk can't be formatted: .*timed out"):
        run("sleep", "9", failure="The disk can't be formatted", timeout=0.1)


def test_a_command_line_prints_errors_as_they_are_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise LabError("There is no lab in /opt/[red]/.lab.")

    monkeypatch.setattr("sys.argv", ["lab"])
    with pytest.raises(SystemExit) as ended:
        run_command_line(app, code=2)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "✗ There is no lab in /opt/[red]/.lab.\n")
