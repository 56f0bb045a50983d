"""Cloud-init user data for the guests of each tier: pure functions, settings in, text out.

What lands in a guest is below `files/`, readable as itself. A document contains the guest's secrets in clear text:
the caller puts it in a Secret.
"""

from cloudinit.api_access import ApiAccess
from cloudinit.application import ApplicationGuest, render_application
from cloudinit.database import DatabaseGuest, render_database
from cloudinit.families import Family, packages
from cloudinit.faults import FaultObjects
from cloudinit.guests import TracingTarget
from cloudinit.load import LoadGuest, LoadMachineGuest, render_load
from cloudinit.load_plan import (
    LARGEST_SEED,
    MIX,
    LoadPlan,
    Profile,
    Segment,
    arrivals,
    parse_load_plan,
    rate_at,
    render_load_plan,
    segments,
)
from cloudinit.network import render_dual_stack
from cloudinit.site import ANYWHERE, Mirrors, Proxy, Site, SshAccess
from cloudinit.web import WebGuest, render_web

__all__ = [
    "ANYWHERE",
    "LARGEST_SEED",
    "MIX",
    "ApiAccess",
    "ApplicationGuest",
    "DatabaseGuest",
    "Family",
    "FaultObjects",
    "LoadGuest",
    "LoadMachineGuest",
    "LoadPlan",
    "Mirrors",
    "Profile",
    "Proxy",
    "Segment",
    "Site",
    "SshAccess",
    "TracingTarget",
    "WebGuest",
    "arrivals",
    "packages",
    "parse_load_plan",
    "rate_at",
    "render_application",
    "render_database",
    "render_dual_stack",
    "render_load",
    "render_load_plan",
    "render_web",
    "segments",
]
