"""The stack outputs."""

from __future__ import annotations

import json

from tests.unit.components.mocks import DEDICATED, PASSWORD, SCALED, TOKEN, deploy


def test_outputs_name_the_objects_and_the_commands_to_use_them() -> None:
    assert deploy({"name": "shop", "namespace": "retail", **SCALED}).outputs == {
        "url": "http://shop-web.retail.svc.cluster.local/",
        "virtualMachines": {
            "database": ["shop-database-0"],
            "application": ["shop-application-0", "shop-application-1"],
            "web": ["shop-web-0", "shop-web-1"],
        },
        "dataDisk": "DataVolume shop-database-0-data: pulumi destroy deletes it",
        "watch": "kubectl get vm,vmi -n retail -l app.kubernetes.io/instance=shop -w",
        "request": "kubectl get --raw /api/v1/namespaces/retail/services/shop-web:http/proxy/api/v1/accounts/1",
        "measure": ".venv/bin/python -m measure run --namespace retail --name shop",
        "loadStatus": "kubectl get --raw /api/v1/namespaces/retail/services/shop-load:http/proxy/status",
    }


def test_a_dedicated_load_machine_is_among_the_machines() -> None:
    assert deploy(DEDICATED).outputs["virtualMachines"]["load"] == ["multi-tier-load-0"]


def test_without_load_there_is_nothing_to_measure() -> None:
    assert not {"measure", "loadStatus"} & set(deploy({"load": {"enabled": False}}).outputs)


def test_outputs_contain_no_secret() -> None:
    outputs = json.dumps(deploy().outputs)

    assert PASSWORD not in outputs
    assert TOKEN not in outputs
