"""Accounts, proxies, certificate authorities and mirrors in the user data."""

from __future__ import annotations

import pytest

from cloudinit import Family
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, PUBLIC_KEY, commands, load_machine, parse

IN_CLOSED_NETWORK = EVERY_GUEST["load-in-closed-network"]


@pytest.mark.parametrize("family", Family)
def test_the_user_logs_in_with_a_key_and_nobody_with_a_password(family: Family) -> None:
    document = parse(IN_CLOSED_NETWORK(family))

    (user,) = document["users"]
    assert (user["name"], user["ssh_authorized_keys"], user["lock_passwd"]) == ("ann", [PUBLIC_KEY], True)
    assert not {"passwd", "plain_text_passwd", "hashed_passwd"} & set(user)
    assert document["ssh_pwauth"] is False


@pytest.mark.parametrize("family", Family)
def test_the_default_environment_adds_nothing(family: Family) -> None:
    plain, closed = parse(load_machine(family)), parse(IN_CLOSED_NETWORK(family))

    paths = {file["path"] for file in closed["write_files"]} - {file["path"] for file in plain["write_files"]}
    assert len(paths) == 4
    assert set(closed) - set(plain) == {"users", "ssh_pwauth", "disable_root"}
    assert closed["runcmd"] == plain["runcmd"]


@pytest.mark.parametrize("family", Family)
def test_trust_and_mirrors_are_set_up_before_packages_are_installed(family: Family) -> None:
    first, second, third, *later = commands(IN_CLOSED_NETWORK(family))[1:]

    assert first in {"-update-ca-certificates", "-update-ca-trust"}
    assert second == "-/usr/bin/systemctl start cloud-config.service", "it writes the sources too"
    assert third == "/usr/local/sbin/virtwork-package-mirror"
    assert later[0].startswith("/usr/local/sbin/virtwork-install-packages ")
    assert later[1:] == ["/usr/local/sbin/virtwork-configure"]
