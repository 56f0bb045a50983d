"""Cloud-init user data for the guests of each tier: pure functions, settings in, text out.

A guest's files live beside their tier's renderer, readable as themselves. Every secret that a document holds
stays inside it: the caller puts the text in a Secret.
"""

from cloudinit.application import render_application
from cloudinit.database import render_database
from cloudinit.families import Family, packages
from cloudinit.guests import ApplicationGuest, DatabaseGuest, LoadGuest, LoadPlanSource, WebGuest
from cloudinit.load import LoadPlan, render_load_plan
from cloudinit.web import render_web

__all__ = [
    "ApplicationGuest",
    "DatabaseGuest",
    "Family",
    "LoadGuest",
    "LoadPlan",
    "LoadPlanSource",
    "WebGuest",
    "packages",
    "render_application",
    "render_database",
    "render_load_plan",
    "render_web",
]
