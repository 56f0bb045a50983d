"""The load generator: k6 on a web guest, steered by a plan that is no part of the guest's user data."""

from cloudinit.document import SECRET, GuestFile, cloud_config
from cloudinit.guest import SETTINGS, install_packages, program
from cloudinit.guests import LoadGuest, LoadMachineGuest
from cloudinit.load.plan import LARGEST_SEED, MIX, LoadPlan, parse_load_plan, render_load_plan
from cloudinit.load.profiles import STAIRS, Profile, Segment, arrivals, rate_at, segments
from cloudinit.templates import read, unit_settings

__all__ = [
    "LARGEST_SEED",
    "MIX",
    "STAIRS",
    "LoadPlan",
    "Profile",
    "Segment",
    "arrivals",
    "load_files",
    "parse_load_plan",
    "rate_at",
    "render_load_plan",
    "segments",
]

_UNITS = "/etc/systemd/system"


def load_files(guest: LoadGuest) -> list[GuestFile]:
    """What a web guest needs besides its own files to generate load."""
    return [
        program("install-k6", "load/install-k6.sh"),
        program("await-chain", "load/await-chain.sh"),
        program("load-plan", "load/follow_plan.py"),
        GuestFile(path="/usr/local/lib/virtwork/requests.js", content=read("load/requests.js")),
        GuestFile(path=f"{SETTINGS}/load.env", content=unit_settings(TARGET=guest.target)),
        GuestFile(
            path=f"{SETTINGS}/load-plan.env",
            content=unit_settings(
                PLAN_URL=f"{guest.plan.server}/api/v1/namespaces/{guest.plan.namespace}"
                f"/configmaps/{guest.plan.config_map}"
            ),
        ),
        GuestFile(path=f"{SETTINGS}/load-plan.token", content=guest.plan.token, mode=SECRET),
        GuestFile(path=f"{SETTINGS}/load-plan.ca", content=guest.plan.certificate_authority, mode=SECRET),
        GuestFile(
            path=f"{_UNITS}/virtwork-load-plan.service",
            content=read("load/virtwork-load-plan.service"),
        ),
        GuestFile(
            path=f"{_UNITS}/virtwork-multi-tier-load.service",
            content=read("load/virtwork-multi-tier-load.service"),
        ),
    ]


def render_load(guest: LoadMachineGuest) -> str:
    """User data of a machine of the load generator's own; it holds the token that reads the load plan."""
    return cloud_config(
        hostname=guest.hostname, files=[install_packages(guest.family), *load_files(guest.load)], commands=[]
    )
