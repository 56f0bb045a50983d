"""A guest without k6 installs only the release that the program knows, from any server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import web_with_load

SCRIPT = "/usr/local/sbin/virtwork-install-k6"
# Packs an archive as a release has it, and delivers it in place of the download.
DELIVER = """#!/bin/sh
for url; do :; done
file=$(basename "$url")
mkdir -p "${file%.tar.gz}"
printf '#!/bin/sh\\necho "k6 of the release"\\n' > "${file%.tar.gz}/k6"
tar --create --gzip --mtime=@0 --file "$file" "${file%.tar.gz}"
sha256sum "$file" | cut -c 1-64 > /opt/test/delivered
"""


@pytest.fixture
def without_k6(guest: GuestRoot) -> Iterator[GuestRoot]:
    """A guest on an image without k6, for which somebody packs archives of their own."""
    guest.write_files(web_with_load())
    guest.write("/opt/test/stubs/curl", DELIVER, 0o755)
    guest.write("/opt/test/stubs/virtwork-pause", "#!/bin/sh\n", 0o755)
    guest.run("mv", "/usr/local/bin/k6", "/usr/local/bin/k6.away")
    yield guest
    guest.run("mv", "/usr/local/bin/k6.away", "/usr/local/bin/k6")


def install(guest: GuestRoot) -> str:
    return guest.run("env", "PATH=/opt/test/stubs:/usr/sbin:/usr/bin", SCRIPT, check=False)


def test_an_archive_that_is_not_the_release_is_refused(without_k6: GuestRoot) -> None:
    said = install(without_k6)

    assert "FAILED to install k6" in said
    assert f"has the SHA-256 digest {without_k6.read('/opt/test/delivered').strip()}, and not " in said
    assert without_k6.run("sh", "-c", "ls /usr/local/bin/k6 2>/dev/null || echo absent").strip() == "absent"


def test_the_release_is_installed(without_k6: GuestRoot) -> None:
    install(without_k6)
    ours = without_k6.read("/opt/test/delivered").strip()
    without_k6.write(SCRIPT, re.sub(r"digest=[0-9a-f]{64}", f"digest={ours}", without_k6.read(SCRIPT)), 0o755)

    assert install(without_k6) == ""
    assert without_k6.run("/usr/local/bin/k6") == "k6 of the release\n"


def test_an_image_with_k6_downloads_nothing(guest: GuestRoot) -> None:
    guest.write_files(web_with_load())
    guest.write("/opt/test/stubs/curl", "#!/bin/sh\necho a download\nexit 6\n", 0o755)
    assert install(guest) == ""
