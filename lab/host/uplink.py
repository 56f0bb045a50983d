"""A way out through this machine, for guests that install packages from a mirror.

Off by default, because it makes this machine forward packets.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from lab.command import run
from lab.config import Lab
from lab.files import write_private
from lab.host import network

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# This machine's setting before the first lab changed it, and who forwarded packets then, one table a line. Like the
# change, it is gone after a reboot.
_FORMER = Path("/run/multi-tier-ip_forward")
_TABLES = "multi_tier_"
_LEGACY_TABLES = Path("/proc/net/ip_tables_names")

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


def _chains() -> list[dict[str, Any]]:
    return [item["chain"] for item in json.loads(run("nft", "-j", "list", "chains"))["nftables"] if "chain" in item]


def _labs() -> set[str]:
    """Return the tables of all labs with a way out."""
    return {chain["table"] for chain in _chains() if chain["table"].startswith(_TABLES)}


def _others() -> set[str]:
    """Return the tables of others that filter or translate forwarded packets, such as those of containers."""
    found = {
        f"{chain['family']} {chain['table']}"
        for chain in _chains()
        if chain.get("hook") == "forward" or chain.get("type") == "nat"
    }
    with suppress(FileNotFoundError):
        found |= {f"legacy {name}" for name in _LEGACY_TABLES.read_text().split()}
    return {table for table in found if not table.split()[1].startswith(_TABLES)}


def up(lab: Lab) -> None:
    """Give guests a way out.

    Raises:
        LabError: A system tool failed.
    """
    run(*network.inside(lab), "ip", "route", "replace", "default", "via", str(lab.host_address))
    if _table(lab) in _labs():
        return
    if not _FORMER.exists():
        write_private(_FORMER, "\n".join((_FORWARDING.read_text().strip(), *sorted(_others()))).encode())
    others = "drop" if _former()[0] == "0" else ""
    rules = _RULES.format(table=_table(lab), links=network.LINK_PREFIX, link=network.link(lab), others=others)
    run("nft", "-f", "-", stdin=rules)
    _FORWARDING.write_text("1")


def down(lab: Lab) -> None:
    """Remove the way out; the last lab restores this machine's setting, unless somebody else has come to need it."""
    if _table(lab) in _labs():
        run("nft", "delete", "table", "ip", _table(lab))
    if not _FORMER.exists() or _labs():
        return
    value, *known = _former()
    if new := sorted(_others() - set(known)):
        typer.echo(f"This machine still forwards packets, because {', '.join(new)} appeared since the lab's start.")
    else:
        _FORWARDING.write_text(value)
    _FORMER.unlink()


def _former() -> list[str]:
    return _FORMER.read_text().splitlines()
