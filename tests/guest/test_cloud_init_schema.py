"""The user data, validated by the image's own cloud-init."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from cloudinit import Family, render_dual_stack
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, HOSTILE, WITH_METRICS, application, cloud_config, database
from tests.unit.components.mocks import deploy
from tests.unit.components.settings.arbitrary import Config, configurations, deployable

# What `cloud-init schema --config-file` checks, for all documents in one process: each start takes 0.5 s.
CHECK = """
import sys
from cloudinit.config.schema import get_schema, validate_cloudconfig_file
for index in range(int(sys.argv[1])):
    validate_cloudconfig_file(f"/opt/test/schema/{index}.yaml", get_schema(), annotate=False)
"""


def check(guest: GuestRoot, documents: Collection[str]) -> None:
    for index, document in enumerate(documents):
        guest.write(f"/opt/test/schema/{index}.yaml", cloud_config(document))
    said = guest.run("python3", "-c", CHECK, str(len(documents)))
    assert said == "", f"cloud-init reports an error or a deprecation: {said}"


@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(configurations())
def test_cloud_init_accepts_what_any_accepted_configuration_renders(guest: GuestRoot, config: Config) -> None:
    assume(deployable(config))
    deployment = deploy(config)
    check(guest, [deployment.user_data(machine) for machine in deployment.machines if machine.endswith("-0")])


def test_cloud_init_accepts_every_document_without_a_warning(guest: GuestRoot) -> None:
    documents = {f"{name}.{family}": EVERY_GUEST[name](family) for name in EVERY_GUEST for family in Family}
    documents |= {
        f"{name} with metrics.{family}": WITH_METRICS[name](family) for name in WITH_METRICS for family in Family
    }
    documents |= {f"hostile {name}": application(token=value) for name, value in HOSTILE.items()}
    check(guest, documents.values())
    command = guest.run("cloud-init", "schema", "--config-file", "/opt/test/schema/0.yaml")
    assert "Valid cloud-config" in command


@pytest.mark.parametrize(
    ("renderer", "distribution"),
    [("netplan", "debian"), ("networkd", "debian"), ("eni", "debian"), ("network-manager", "fedora")],
)
def test_every_renderer_configures_both_ip_families(guest: GuestRoot, renderer: str, distribution: str) -> None:
    guest.write("/opt/test/network.yaml", render_dual_stack())
    written = "/opt/test/network"
    source = ("--network-data", "/opt/test/network.yaml", "--kind", "yaml", "--directory", written)
    guest.run("cloud-init", "devel", "net-convert", *source, "--distro", distribution, "--output-kind", renderer)
    configured = guest.run("grep", "--recursive", "--no-filename", "", written)

    for value in ("fd10:0:2::2/120", "fd10:0:2::1"):
        assert value in configured, configured
    assert any(dhcp in configured for dhcp in ("dhcp4: true", "DHCP=ipv4", "inet dhcp", "method=auto")), configured


def test_the_schema_check_refuses_an_invalid_value(guest: GuestRoot) -> None:
    guest.write("/opt/test/broken.yaml", cloud_config(database()).replace("overwrite: false", "overwrite: maybe"))
    said = guest.run("cloud-init", "schema", "--config-file", "/opt/test/broken.yaml", check=False)
    assert "is not of type 'boolean'" in said
