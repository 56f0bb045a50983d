"""Guest files: read as they are, or rendered where a value goes inside."""

import shlex
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cloudinit import constants

_ROOT = Path(__file__).parent / "files"

# No escaping: these are not HTML. A value that may be hostile goes through `shell_settings` or `unit_settings`.
_ENVIRONMENT = Environment(  # noqa: S701
    loader=FileSystemLoader(_ROOT),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update({name: value for name, value in vars(constants).items() if name.isupper()})


def names_below(directory: str) -> list[str]:
    """Return the names of the files in a directory below `files/`, sorted."""
    return sorted(path.name for path in (_ROOT / directory).iterdir() if path.is_file())


def read(name: str) -> str:
    """The text of a guest file, by its path below `files/`."""
    return (_ROOT / name).read_text(encoding="utf-8")


def render(name: str, **values: object) -> str:
    """Return the text of a guest file that is a template, which sees the constants and `values`.

    Raises:
        UndefinedError: The template names something else.
    """
    return _ENVIRONMENT.get_template(name).render(values)


def shell_settings(**values: str | int) -> str:
    """`NAME=value` lines for a shell to source, quoted so that no value can be code."""
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def unit_settings(**values: str | int) -> str:
    """`NAME="value"` lines for systemd's EnvironmentFile=, where backslash escapes inside double quotes."""
    escape = str.maketrans({"\\": "\\\\", '"': '\\"', "`": "\\`", "$": "\\$"})
    return "".join(f'{name}="{str(value).translate(escape)}"\n' for name, value in values.items())
