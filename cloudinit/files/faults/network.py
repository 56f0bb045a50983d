"""Faults of the network between a tier and the one behind it: by netem, or by a proxy where the kernel has no netem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .commands import EffectError, attempt, run
from .proxy import Proxy

TABLE = "virtwork_faults"
MIRROR = "virtwork-faults"  # the interface that incoming packets take a detour over
MARK = 0x76776B  # of the proxy's own connections, which aren't redirected
_PROTOCOLS = {"ip": "ip", "ipv6": "ip6"}


@dataclass(frozen=True)
class Impairment:
    """What happens to packets.

    Attributes:
        latency: Seconds that those to the tier behind take longer.
        jitter: Seconds that this varies by, up or down.
        loss: Share of the packets that are lost, in each direction.
        bandwidth: Bytes per second, in each direction; 0: no limit.
    """

    latency: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    bandwidth: float = 0.0

    @property
    def netem(self) -> list[str]:
        """The arguments of netem for packets to the tier behind."""
        delay = ["delay", f"{self.latency * 1000:g}ms", *([f"{self.jitter * 1000:g}ms"] if self.jitter else [])]
        return [*(delay if self.latency or self.jitter else []), *self.netem_back]

    @property
    def netem_back(self) -> list[str]:
        """The arguments of netem for packets that come back."""
        loss = ["loss", f"{self.loss * 100:g}%"] if self.loss else []
        return [*loss, *(["rate", f"{self.bandwidth * 8:.0f}bit"] if self.bandwidth else [])]


class Network:
    """Impairs the connections of this machine to the tier behind.

    Args:
        service: The unit whose connections they are.
        port: The port that they lead to.
        parameters: The fields of an Impairment.
    """

    def __init__(self, service: str, port: int, parameters: Mapping[str, float]) -> None:
        self._service = service
        self._port = port
        self._impairment = Impairment(**parameters)
        self._proxy: Proxy | None = None

    def begin(self) -> str:
        """Impair the connections that there are, and those to come.

        netem impairs packets, so it needs nothing else. The proxy gets only connections that begin after it, so the
        service replaces its own.
        """
        try:
            self._begin_netem()
        except EffectError as error:
            missing = error
        else:
            return "netem"
        self._remove_netem()
        self._proxy = Proxy(self._impairment, MARK)
        listening = self._proxy.start()
        run("nft", "--file", "-", stdin=redirection(self._port, listening))
        self._replace_connections()
        return f"proxy, without netem ({missing})"

    def end(self) -> None:
        """Let packets pass. Connections through the proxy go on unimpaired until the service has replaced them."""
        if self._proxy is None:
            self._remove_netem()
            return
        self._proxy.stop_impairing()
        # The table stays while there are redirected connections.
        attempt("nft", "flush", "chain", "inet", TABLE, "output")
        self._replace_connections()
        self._proxy.wait_until_unused()
        self._remove_redirection()

    def undo(self) -> None:
        """Remove what an ended process has left behind."""
        self._remove_netem()
        if self._remove_redirection():
            self._replace_connections()

    def _begin_netem(self) -> None:
        for command in netem_commands(_default_interface(), self._port, self._impairment):
            run(*command)

    def _remove_netem(self) -> None:
        try:
            device = ("dev", _default_interface())
        except EffectError:  # so there is nothing on it
            return
        attempt("tc", "qdisc", "delete", *device, "root", "handle", "7677:")
        attempt("tc", "qdisc", "delete", *device, "ingress")
        attempt("ip", "link", "delete", MIRROR)

    def _remove_redirection(self) -> bool:
        return attempt("nft", "delete", "table", "inet", TABLE)

    def _replace_connections(self) -> None:
        """Have the service replace its connections to the tier behind, as after a change of its configuration."""
        attempt("systemctl", "reload", self._service)


def redirection(port: int, listening: int) -> str:
    """Return the rules by which new connections of this machine to a port reach the proxy.

    The kernel follows connections only while there is such a rule. From the first on, it would take the next packet of
    an existing connection for a new one and redirect that too: only packets that really begin one are matched. Once the
    last is gone, it would no longer translate packets of redirected connections: a chain of its own has another.
    """
    return f"""\
table inet {TABLE} {{
    chain output {{
        type nat hook output priority -100
        meta mark != {MARK} tcp flags & (fin | syn | rst | ack) == syn tcp dport {port} redirect to :{listening}
    }}
    chain tracked {{
        type filter hook output priority 0
        ct state established counter
    }}
}}
"""


def netem_commands(interface: str, port: int, impairment: Impairment) -> list[list[str]]:
    """Return the commands that impair the packets of connections to a port, and no others."""
    sent = ["tc", "qdisc", "add", "dev", interface]
    commands = [
        # Four bands, of which the priorities of packets select only the first three.
        [*sent, "root", "handle", "7677:", "prio", "bands", "4"],
        [*sent, "parent", "7677:4", "netem", *impairment.netem],
    ]
    for number, (protocol, match) in enumerate(_PROTOCOLS.items(), start=1):
        selected = ["u32", "match", match, "protocol", "6", "0xff", "match", match, "dport", str(port), "0xffff"]
        filtered = ["tc", "filter", "add", "dev", interface, "parent", "7677:", "protocol", protocol]
        commands.append([*filtered, "prio", str(number), *selected, "flowid", "7677:4"])
    if not impairment.netem_back:
        return commands
    commands += [
        ["ip", "link", "add", MIRROR, "type", "ifb"],
        ["ip", "link", "set", MIRROR, "up"],
        ["tc", "qdisc", "add", "dev", MIRROR, "root", "netem", *impairment.netem_back],
        [*sent, "handle", "ffff:", "ingress"],
    ]
    for number, (protocol, match) in enumerate(_PROTOCOLS.items(), start=1):
        selected = ["u32", "match", match, "protocol", "6", "0xff", "match", match, "sport", str(port), "0xffff"]
        filtered = ["tc", "filter", "add", "dev", interface, "parent", "ffff:", "protocol", protocol]
        commands.append(
            [*filtered, "prio", str(number), *selected, "action", "mirred", "egress", "redirect", "dev", MIRROR]
        )
    return commands


def _default_interface() -> str:
    """Return the name of the interface that leads out of this machine.

    Raises:
        EffectError: There is none.
    """
    routes = json.loads(run("ip", "-json", "route", "show", "default") or "[]")
    if not routes:
        raise EffectError("there is no default route")
    return str(routes[0]["dev"])
