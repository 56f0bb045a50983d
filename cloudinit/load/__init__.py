"""The load generator: k6 on a web guest, steered by a plan that is no part of the guest's user data."""

import json
from dataclasses import asdict, dataclass

from cloudinit.document import SECRET, GuestFile
from cloudinit.guest import SETTINGS, program
from cloudinit.guests import LoadGuest
from cloudinit.templates import read, unit_settings

MIX = ("random", "hot", "missing")
_UNITS = "/etc/systemd/system"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What the generator sends.

    Raises:
        ValueError: A value that k6 could not run with.
    """

    rps: int
    """Requests that begin each second, whatever the answers take."""
    concurrency: int
    """Requests under way at once, at most; beyond it arrivals are counted as dropped."""
    accounts: int
    """Accounts that exist: 100,000 times the database's scale."""
    mix: dict[str, int]
    """Weights: `random` accounts, one `hot` account, `missing` accounts (expected to answer 404)."""

    def __post_init__(self) -> None:
        for name in ("rps", "concurrency", "accounts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of a load plan must be at least 1, not {getattr(self, name)}.")
        if set(self.mix) != set(MIX):
            raise ValueError(f"The mix of a load plan has exactly the keys {', '.join(MIX)}.")
        if min(self.mix.values()) < 0 or sum(self.mix.values()) < 1:
            raise ValueError("The weights of a load plan's mix must not be negative, nor all zero.")


def render_load_plan(plan: LoadPlan) -> str:
    """The plan as JSON, for the ConfigMap key `plan.json`."""
    return json.dumps(asdict(plan), indent=2, sort_keys=True) + "\n"


def load_files(guest: LoadGuest) -> list[GuestFile]:
    """What a web guest needs besides its own files to generate load."""
    return [
        program("install-k6", "load/install-k6.sh"),
        program("await-chain", "load/await-chain.sh"),
        program("load-plan", "load/plan.py"),
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
