"""What every guest gets: the script that makes sure of its packages."""

from cloudinit.constants import LIBRARY, PROGRAMS
from cloudinit.document import PROGRAM, GuestFile
from cloudinit.families import Family
from cloudinit.templates import read, render

CONFIGURE = f"{PROGRAMS}/virtwork-configure"


def program(name: str, source: str) -> GuestFile:
    """Return a guest script `virtwork-<name>`, from a file of this package."""
    content = render(source) if source.endswith(".j2") else read(source)
    return GuestFile(path=f"{PROGRAMS}/virtwork-{name}", content=content, mode=PROGRAM)


def library(name: str, source: str) -> GuestFile:
    """A Python module, by its path below the library."""
    return GuestFile(path=f"{LIBRARY}/{name}", content=read(source))


def span_exporter() -> GuestFile:
    """The module `otlp`, which sends spans to a collector."""
    return library("otlp.py", "common/otlp.py")


def install_packages(family: Family) -> GuestFile:
    """The script that installs what is missing of the packages named to it."""
    return program("install-packages", f"common/install-packages.{family}.sh")
