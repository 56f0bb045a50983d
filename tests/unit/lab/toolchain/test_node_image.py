"""The container image of KubeVirt's components on a node."""

from __future__ import annotations

import re

from lab.toolchain import binaries, node_image


def test_its_tag_is_the_version_of_kubevirt_that_is_built() -> None:
    module = (binaries.SOURCES / "kubevirt" / "go.mod").read_text()
    [version] = re.findall(r"^\tkubevirt\.io/kubevirt (\S+)$", module, re.M)
    assert node_image.REFERENCE.split(":")[-1] == version
