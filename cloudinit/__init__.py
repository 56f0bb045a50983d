"""Cloud-init user data for the guests of each tier: pure functions, settings in, text out.

A guest's files live beside their tier's renderer, readable as themselves. Every secret that a document holds
stays inside it: the caller puts the text in a Secret.
"""

from cloudinit.application import render_application
from cloudinit.database import render_database
from cloudinit.families import Family, packages
from cloudinit.guests import (
    ApplicationGuest,
    DatabaseGuest,
    LoadGuest,
    LoadMachineGuest,
    LoadPlanSource,
    TracingTarget,
    WebGuest,
)
from cloudinit.load import render_load
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
from cloudinit.site import ANYWHERE, Mirrors, Proxy, Site, SshAccess
from cloudinit.web import render_web

__all__ = [
    "ANYWHERE",
    "LARGEST_SEED",
    "MIX",
    "ApplicationGuest",
    "DatabaseGuest",
    "Family",
    "LoadGuest",
    "LoadMachineGuest",
    "LoadPlan",
    "LoadPlanSource",
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
    "render_load",
    "render_load_plan",
    "render_web",
    "segments",
]
