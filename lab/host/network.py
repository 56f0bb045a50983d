"""The lab's network namespace and its link to this machine.

Every component and every guest's link lives in one namespace, so that nothing of the lab listens on this
machine's own interfaces, its address translation rules touch nobody else's, and removing it removes all.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.command import run
from lab.config import GATEWAY, Lab
from lab.errors import LabError

_NAMESPACES = Path("/run/netns")
_LAB_SIDE = "host0"
LINK_PREFIX = "mt-"

# Only this machine's own end of the link may send into the lab: not a neighbour that routes through this machine.
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
    """Return the words that, put before a command, run it in the lab's namespace."""
    return ["nsenter", f"--net={namespace_path(lab)}", "--"]


def link(lab: Lab) -> str:
    """Return the name of this machine's end of the link."""
    return f"{LINK_PREFIX}{lab.id}"


def _refuse_taken_subnet(lab: Lab) -> None:
    """Refuse a subnet that this machine reaches some other way: all of it, a part, or as a part."""
    below = run("ip", "-4", "route", "show", "root", str(lab.subnet)).splitlines()
    above = run("ip", "-4", "route", "show", "match", str(lab.subnet)).splitlines()
    taken = [line.strip() for line in below + above if not line.startswith("default")]
    if taken:
        raise LabError(
            f"The lab's subnet {lab.subnet} is in use on this machine ({taken[0]}). "
            "Set MULTI_TIER_LAB_SUBNET to a free /16 such as 10.97.0.0/16 and run again."
        )


def up(lab: Lab) -> None:
    """Make the namespace and the link; does nothing where they stand.

    Raises:
        LabError: the subnet is taken, or a system tool failed.
    """
    if is_up(lab):
        return
    down(lab)
    _refuse_taken_subnet(lab)
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
    # Last, for is_up() looks for it: what stands before it is complete.
    run("ip", "route", "add", str(lab.subnet), "via", str(lab.address), "dev", link(lab))


def is_up(lab: Lab) -> bool:
    """Whether the namespace and the link to it stand."""
    if not namespace_path(lab).exists():
        return False
    done = subprocess.run(
        ["ip", "-4", "route", "show", "exact", str(lab.subnet), "dev", link(lab)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0 and bool(done.stdout.strip())


def down(lab: Lab) -> None:
    """Remove the link and every namespace that bears the lab's name, and with them all rules and routes inside."""
    if Path("/sys/class/net", link(lab)).exists():
        run("ip", "link", "delete", link(lab))
    for path in sorted(_NAMESPACES.glob(f"{lab.name}*")):
        run("ip", "netns", "delete", path.name)
