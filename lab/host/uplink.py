"""A way out through this machine, for guests that install packages from a mirror.

Off by default, because it makes this machine forward packets.
"""

from __future__ import annotations

from pathlib import Path

from lab.command import run
from lab.config import Lab
from lab.host import network

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# This machine's setting before the first lab changed it. Like the change, it is gone after a reboot.
_FORMER = Path("/run/multi-tier-ip_forward")
_TABLES = "multi_tier_"

# Guests may open connections to the outside, but not the reverse. If this machine did not forward packets before, it
# still forwards no others.
_RULES = """
table ip {table} {{
  chain forward {{
    type filter hook forward priority filter;
    iifname "{links}*" accept
    oifname "{links}*" ct state established,related accept
    {others}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    iifname "{link}" oifname != "{link}" masquerade
  }}
}}
"""


def _table(lab: Lab) -> str:
    return _TABLES + lab.id


def _tables() -> list[str]:
    return [line.split()[-1] for line in run("nft", "list", "tables").splitlines()]


def up(lab: Lab) -> None:
    """Give guests a way out, unless they have one.

    Raises:
        LabError: A system tool failed.
    """
    if _table(lab) in _tables():
        return
    if not _FORMER.exists():
        _FORMER.write_text(_FORWARDING.read_text())
    others = "drop" if _FORMER.read_text().strip() == "0" else ""
    rules = _RULES.format(table=_table(lab), links=network.LINK_PREFIX, link=network.link(lab), others=others)
    run("nft", "-f", "-", stdin=rules)
    run(*network.inside(lab), "ip", "route", "replace", "default", "via", str(lab.host_address))
    _FORWARDING.write_text("1")


def down(lab: Lab) -> None:
    """Remove the way out; the last lab restores this machine's setting."""
    tables = _tables()
    if _table(lab) in tables:
        run("nft", "delete", "table", "ip", _table(lab))
        tables.remove(_table(lab))
    if _FORMER.exists() and not any(table.startswith(_TABLES) for table in tables):
        _FORWARDING.write_text(_FORMER.read_text())
        _FORMER.unlink()
