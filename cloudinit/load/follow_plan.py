#!/usr/bin/python3
"""Follows the load plan: a ConfigMap's key `plan.json`, polled from the API server.

Writes the plan where the load generator reads it, and restarts the generator when it changed. While the API server
is away, or the plan is broken, the last good plan stays. Standard library only.
"""

import json
import logging
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

PLAN_URL = os.environ["PLAN_URL"]
CREDENTIALS = Path(os.environ["CREDENTIALS_DIRECTORY"])
PLAN = Path(os.environ["STATE_DIRECTORY"]) / "plan.json"
UNIT = "virtwork-multi-tier-load.service"
INTERVAL = 3.0  # seconds
TIMEOUT = 10.0  # seconds

log = logging.getLogger()


class PlanError(Exception):
    """There is no usable plan; the words say why."""


def fetch() -> str:
    """The plan's text.

    Raises:
        PlanError: The API server is away or refuses, or the ConfigMap holds no plan.
    """
    trust = ssl.create_default_context(cadata=(CREDENTIALS / "ca").read_text(encoding="ascii"))
    # What Python 3.13 demands of a certificate beyond the standard, many clusters' authorities lack.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    token = (CREDENTIALS / "token").read_text(encoding="ascii").strip()
    request = urllib.request.Request(PLAN_URL, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=trust) as answer:  # noqa: S310
            plan = json.load(answer)["data"]["plan.json"]
            json.loads(plan)
    except urllib.error.HTTPError as error:
        raise PlanError(f"the API server answered {error.code}") from None
    except OSError as error:
        raise PlanError(f"the API server is away: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise PlanError(f"the ConfigMap holds no readable plan.json: {error!r}") from None
    return str(plan)


def apply(plan: str) -> bool:
    """Write the plan and restart the generator, unless it is the plan already there."""
    if PLAN.exists() and PLAN.read_text(encoding="utf-8") == plan:
        return False
    new = PLAN.with_suffix(".new")
    new.write_text(plan, encoding="utf-8")
    new.replace(PLAN)
    # Not waited for: the generator starts when the whole chain answers, and the next plan must not wait for that.
    subprocess.run(["systemctl", "restart", "--no-block", UNIT], check=True)
    return True


def main() -> None:
    """Poll for ever; say each change of state once."""
    logging.basicConfig(format="multi-tier load: %(message)s", level=logging.INFO)
    said = ""
    while True:
        try:
            if apply(fetch()):
                log.info("new plan: %s", " ".join(PLAN.read_text(encoding="utf-8").split()))
            said = ""
        except PlanError as error:
            if str(error) != said:
                log.warning("%s; the last plan stays", error)
            said = str(error)
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main()
