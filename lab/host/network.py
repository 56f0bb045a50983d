"""The lab's network namespace and its link to this machine.

All components and all guests' links are in one namespace. Nothing of the lab listens on this machine's own interfaces,
its address translation is separate from this machine's, and deleting the namespace removes everything.
"""

from __future__ import annotations

from pathlib import Path

from lab.command import run
from lab.config import GATEWAY, NAME_PREFIX, Lab

_NAMESPACES = Path("/run/netns")
_LAB_SIDE = "host0"
LINK_PREFIX = "mt-"

# Only this machine may open connections into the lab, not a neighbour that routes through it.
_FILTER_RULES = """
table inet multi_tier_lab {{
  chain input {{
    type filter hook input priority filter;
    iifname "{link}" ip saddr != {host} ct state new drop
    iifname "{link}" meta nfproto ipv6 drop
  }}
  chain forward {{
    type filter hook forward priority filter;
    iifname "{link}" ip saddr != {host} ct state new drop
    iifname "{link}" meta nfproto ipv6 drop
  }}
}}
"""


def namespace_path(lab: Lab) -> Path:
    """Return the file that names the lab's network namespace."""
    return _NAMESPACES / lab.name


def inside(lab: Lab) -> list[str]:
    """Return the prefix that makes a command run in the lab's namespace."""
    return ["nsenter", f"--net={namespace_path(lab)}", "--"]


def link(lab: Lab) -> str:
    """Return the name of this machine's end of the link."""
    return f"{LINK_PREFIX}{lab.id}"


def up(lab: Lab) -> None:
    """Create the namespace and the link unless they are up.

    Raises:
        LabError: A system tool failed.
    """
    if is_up(lab):
        return
    down(lab)
    run("ip", "netns", "add", lab.name)
    network = inside(lab)
    for setting in ("ip_forward=1", "conf.all.rp_filter=0", "conf.default.rp_filter=0"):
        run(*network, "sysctl", "-q", "-w", f"net.ipv4.{setting}")
    run(*network, "ip", "link", "set", "lo", "up")
    run(*network, "ip", "address", "add", f"{GATEWAY}/32", "dev", "lo")
    run("ip", "link", "add", link(lab), "type", "veth", "peer", "name", _LAB_SIDE, "netns", lab.name)
    run(*network, "ip", "address", "add", f"{lab.address}/30", "dev", _LAB_SIDE)
    run(*network, "ip", "link", "set", _LAB_SIDE, "up")
    rules = _FILTER_RULES.format(link=_LAB_SIDE, host=lab.host_address)
    run(*network, "nft", "-f", "-", stdin=rules)
    run("ip", "address", "add", f"{lab.host_address}/30", "dev", link(lab))
    run("ip", "link", "set", link(lab), "up")
    # Last, because is_up() checks for it.
    run("ip", "route", "add", str(lab.subnet), "via", str(lab.address), "dev", link(lab))


def is_up(lab: Lab) -> bool:
    """Whether the namespace and the link to it are up."""
    if not namespace_path(lab).exists() or not Path("/sys/class/net", link(lab)).exists():
        return False
    return bool(run("ip", "-4", "route", "show", "exact", str(lab.subnet), "dev", link(lab)).strip())


def others(lab: Lab) -> set[str]:
    """Return the names of the other labs that are up."""
    return {path.name for path in _NAMESPACES.glob(f"{NAME_PREFIX}{'[0-9a-f]' * 8}")} - {lab.name}


def down(lab: Lab) -> None:
    """Delete the link and the namespaces of the lab and its guests, with all rules and routes in them."""
    if Path("/sys/class/net", link(lab)).exists():
        run("ip", "link", "delete", link(lab))
    for path in sorted(_NAMESPACES.glob(f"{lab.name}*")):
        run("ip", "netns", "delete", path.name)
