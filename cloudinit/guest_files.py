"""The files that a guest gets: sources below `files/`, as they are or rendered where a value goes inside."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cloudinit import constants
from cloudinit.constants import LIBRARY, PROGRAMS

_ROOT = Path(__file__).parent / "files"

# No escaping: these are not HTML. Values that may be hostile go through `shell_settings` or `unit_settings`.
_ENVIRONMENT = Environment(  # noqa: S701
    loader=FileSystemLoader(_ROOT),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update({name: value for name, value in vars(constants).items() if name.isupper()})

SECRET = 0o600
EXECUTABLE = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFile:
    """One file that cloud-init writes in the guest, owned by root."""

    path: str
    content: str
    mode: int = 0o644


def source(path: str, **values: object) -> str:
    """Return the text of a file below `files/`; a template (.j2) sees the constants and `values`.

    Raises:
        UndefinedError: The template uses another name.
    """
    if path.endswith(".j2"):
        return _ENVIRONMENT.get_template(path).render(values)
    return (_ROOT / path).read_text(encoding="utf-8")


def guest_file(path: str, directory: str, **values: object) -> GuestFile:
    """Return a file below `files/` for a directory of the guest, under its own name."""
    name = path.rpartition("/")[2].removesuffix(".j2")
    return GuestFile(path=f"{directory}/{name}", content=source(path, **values))


def program(name: str, path: str) -> GuestFile:
    """Return a file below `files/` as the command `virtwork-<name>`."""
    return GuestFile(path=f"{PROGRAMS}/virtwork-{name}", content=source(path), mode=EXECUTABLE)


def modules(directory: str, *, metrics: bool = False, tracing: bool = False) -> list[GuestFile]:
    """Return the Python modules and k6 scripts of a directory below `files/`, for the same place in the library.

    Modules for metrics or tracing are included only if those are on.
    """
    optional = {"metrics.py": metrics, "tracing.py": tracing, "otlp.py": tracing}
    names = sorted(path.name for path in (_ROOT / directory).iterdir() if path.suffix in (".py", ".js"))
    return [guest_file(f"{directory}/{name}", f"{LIBRARY}/{directory}") for name in names if optional.get(name, True)]


def shell_settings(**values: str | int) -> str:
    """Return `NAME=value` lines for a shell to source, quoted so that no value can be code."""
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def unit_settings(**values: str | int) -> str:
    """Return `NAME="value"` lines for systemd's EnvironmentFile=, where backslash escapes inside double quotes."""
    escape = str.maketrans({"\\": "\\\\", '"': '\\"', "`": "\\`", "$": "\\$"})
    return "".join(f'{name}="{str(value).translate(escape)}"\n' for name, value in values.items())
