"""Run the provisioner of the lab's volumes: `python -m lab.machines.provisioner`."""

from __future__ import annotations

import logging
import sys

from kube.client import connect
from lab.config import Lab
from lab.node import volumes
from lab.node.events import Recorder
from lab.node.provisioner import Provisioner


def main() -> None:
    """Provision until the process ends."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s")
    lab = Lab.from_environment()
    api = connect(lab.component_kubeconfig("node-agent"))
    api.apply(volumes.storage_class())
    Provisioner(lab, api, Recorder(api)).run()


if __name__ == "__main__":
    main()
