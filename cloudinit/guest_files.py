"""What every guest gets: the script that makes sure of its packages."""

from cloudinit.constants import LIBRARY, PROGRAMS
from cloudinit.document import PROGRAM, GuestFile
from cloudinit.families import Family
from cloudinit.templates import names_below, read, render

CONFIGURE = f"{PROGRAMS}/virtwork-configure"


def program(name: str, source: str) -> GuestFile:
    """Return a guest script `virtwork-<name>`, from a file of this package."""
    content = render(source) if source.endswith(".j2") else read(source)
    return GuestFile(path=f"{PROGRAMS}/virtwork-{name}", content=content, mode=PROGRAM)


def modules(directory: str, *, metrics: bool = False, tracing: bool = False) -> list[GuestFile]:
    """Return the Python modules and scripts of a directory below `files/`, as a package of the library.

    Those that metrics or tracing need only go to guests that have it.
    """
    optional = {"metrics.py": metrics, "tracing.py": tracing, "otlp.py": tracing}
    names = [name for name in names_below(directory) if name.endswith((".py", ".js")) and optional.get(name, True)]
    return [GuestFile(path=f"{LIBRARY}/{directory}/{name}", content=read(f"{directory}/{name}")) for name in names]


def install_packages(family: Family) -> GuestFile:
    """The script that installs what is missing of the packages named to it."""
    return program("install-packages", f"common/install-packages.{family}.sh")
