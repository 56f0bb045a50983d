"""Letting guests out through this machine, for those whose image lacks packages and who need a mirror.

Off unless asked for: it makes this machine forward packets, which the lab else leaves alone.
"""

from __future__ import annotations

from pathlib import Path

from lab import network
from lab.config import Lab

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")

# Guests may begin connections to the outside; nobody outside may begin one to a guest. Where this machine forwarded
# nothing before, it forwards nothing else now.
_RULES = """
table ip {table} {{
  chain forward {{
    type filter hook forward priority filter;
    iifname "{link}" accept
    oifname "{link}" ct state established,related accept
    {others}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    iifname "{link}" oifname != "{link}" masquerade
  }}
}}
"""


def _table(lab: Lab) -> str:
    return lab.name.replace("-", "_")


def _former_setting(lab: Lab) -> Path:
    return lab.root / "ip_forward"


def up(lab: Lab) -> None:
    """Give guests a way out; does nothing where they have one.

    Raises:
        LabError: a system tool failed.
    """
    if _former_setting(lab).exists():
        return
    former = _FORWARDING.read_text().strip()
    _former_setting(lab).write_text(former)
    others = "drop" if former == "0" else ""
    network.run("nft", "-f", "-", stdin=_RULES.format(table=_table(lab), link=network.link(lab), others=others))
    _FORWARDING.write_text("1")
    inside = network.inside(lab)
    network.run(*inside, "ip", "route", "replace", "default", "via", str(lab.host_address))


def down(lab: Lab) -> None:
    """Take the way out away again and restore this machine's setting."""
    former = _former_setting(lab)
    if not former.exists():
        return
    if f"table ip {_table(lab)}" in network.run("nft", "list", "tables"):
        network.run("nft", "delete", "table", "ip", _table(lab))
    _FORWARDING.write_text(former.read_text())
    former.unlink()
