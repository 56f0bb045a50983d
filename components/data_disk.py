"""What a data disk holds, in annotations of its DataVolume, and which change of that is refused."""

from __future__ import annotations

from contextlib import suppress

import pulumi

from components.cluster import asked, provider_api
from components.hooks import Inputs, RefusedError, asking
from components.settings import Settings
from components.settings.tiers import DatabaseSettings
from kube.errors import KubeconfigError, UnreachableError
from kube.resources import DATA_VOLUMES

SCALE = "multi-tier.kubevirt.io/pgbench-scale"
POSTGRESQL = "multi-tier.kubevirt.io/postgresql-major"


def contents(database: DatabaseSettings) -> dict[str, str]:
    """Return the annotations: the tables' scale, and PostgreSQL's major version if the image's name implies it."""
    release = database.release
    return {SCALE: str(database.scale), **({POSTGRESQL: str(release.postgresql)} if release else {})}


def hooks(settings: Settings) -> pulumi.ResourceHookBinding:
    """Return the hooks of the DataVolume, which may be a disk that an earlier stack kept."""

    def create(_: Inputs) -> None:
        namespace, name = settings.namespace, settings.names.data_disk
        with suppress(KubeconfigError, UnreachableError), provider_api() as api:
            with asked("get", "datavolumes", namespace):
                found = api.find(DATA_VOLUMES, name, namespace)
            if found:
                check_contents(settings.database, found["metadata"].get("annotations") or {})

    return asking(settings.names.resource("data-disk"), create=create)


def check_contents(database: DatabaseSettings, old: Inputs) -> None:
    """Refuse a change that the data on the disk doesn't survive.

    Args:
        database: The new settings.
        old: What the disk holds: annotations as of `contents`, none if an older program made it.

    Raises:
        RefusedError: The change would delete the data, or the new machine couldn't read it.
    """
    new = contents(database)
    former = old.get(SCALE, new[SCALE])
    if former != new[SCALE] and not database.allow_data_loss:
        raise RefusedError(
            f"multi-tier:database.scale: {new[SCALE]} instead of {former} would delete all accounts and history. To "
            f"accept that, set multi-tier:database.allowDataLoss to true; to keep them, keep {former}"
        )
    major = new.get(POSTGRESQL)
    if major and major != old.get(POSTGRESQL, major):
        raise RefusedError(
            f"multi-tier:database.image: has PostgreSQL {major}, which can't read the data disk of PostgreSQL "
            f"{old[POSTGRESQL]}: keep an image with PostgreSQL {old[POSTGRESQL]}, or dump the data and restore it"
        )
