"""What every guest gets: the script that makes sure of its packages."""

from cloudinit.document import PROGRAM, GuestFile
from cloudinit.families import Family
from cloudinit.templates import read

PROGRAMS = "/usr/local/sbin"
"""Where our scripts go: on root's PATH, and labelled for execution by SELinux's policy."""

LIBRARY = "/usr/local/lib/virtwork"
"""Where our Python goes that is no program by itself."""

SETTINGS = "/etc/virtwork"
CONFIGURE = f"{PROGRAMS}/virtwork-configure"


def program(name: str, source: str) -> GuestFile:
    """A guest script `virtwork-<name>`, from a file of this package."""
    return GuestFile(path=f"{PROGRAMS}/virtwork-{name}", content=read(source), mode=PROGRAM)


def library(name: str, source: str) -> GuestFile:
    """A Python module, by its path below the library."""
    return GuestFile(path=f"{LIBRARY}/{name}", content=read(source))


def span_exporter() -> GuestFile:
    """The module `otlp`, which sends spans to a collector."""
    return library("otlp.py", "common/otlp.py")


def install_packages(family: Family) -> GuestFile:
    """The script that installs what is missing of the packages named to it."""
    return program("install-packages", f"common/install-packages.{family}.sh")
