"""The k6 that guests download is the k6 that the lab builds and that the golden image has."""

from __future__ import annotations

import re

from lab.config import PROJECT

SCRIPT = (PROJECT / "cloudinit/files/load/install-k6.sh").read_text()
MODULE = (PROJECT / "lab/toolchain/modules/k6/go.mod").read_text()


def test_the_version_is_the_same() -> None:
    (built,) = re.findall(r"^require go\.k6\.io/k6/v2 (\S+)$", MODULE, re.MULTILINE)
    assert f"\nVERSION={built}\n" in SCRIPT


def test_each_architecture_has_a_digest_of_its_own() -> None:
    digests = re.findall(r"^ +digest=([0-9a-f]{64})$", SCRIPT, re.MULTILINE)
    assert len(set(digests)) == len(re.findall(r"name=k6-\$VERSION-linux-(amd64|arm64)\n", SCRIPT)) == 2
