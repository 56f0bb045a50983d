"""The controller of DataVolumes, PersistentVolumeClaims, PersistentVolumes and their files."""

from __future__ import annotations

import logging
import queue
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

from kube.client import Api
from kube.errors import ApiError, StatusError
from kube.informer import Informer
from kube.resources import DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS, Object
from lab.config import Lab
from lab.errors import LabError
from lab.node import status, volumes
from lab.node.events import Recorder

_RETRY_SECONDS = 1.0
# A key in the queue that means: look for volumes whose claims are gone.
_ORPHANS = ("", "orphans")

logger = logging.getLogger(__name__)


class Provisioner(Thread):
    """Reconciles changed DataVolumes and claims one by one: there are few, and each takes milliseconds."""

    def __init__(self, lab: Lab, api: Api, events: Recorder) -> None:
        super().__init__(name="provisioner", daemon=True)
        self._lab = lab
        self._api = api
        self._events = events
        # A DataVolume and its claim have the same name, and so the same key.
        self._changed: queue.Queue[tuple[str, str]] = queue.Queue()
        self.data_volumes = Informer(api, DATA_VOLUMES, self._on_change)
        self.claims = Informer(api, PERSISTENT_VOLUME_CLAIMS, self._on_change)

    def file_of(self, namespace: str, claim_name: str) -> Path | None:
        """Return the raw file of a bound claim, or None if the claim isn't bound."""
        claim = self.claims.get(namespace, claim_name)
        if claim is None or not volumes.is_bound(claim):
            return None
        file = volumes.file_of(self._lab, claim)
        return file if file.exists() else None

    def run(self) -> None:
        """Provision until the process ends."""
        if not self._lab.machines:  # where CDI's own controller has them
            self.data_volumes.start()
        self.claims.start()
        self.claims.synced.wait()
        # Claims may have been deleted while no agent ran.
        failed = {_ORPHANS}
        while True:
            failed = {key for key in failed if not self._done(key)}
            with suppress(queue.Empty):
                failed.add(self._changed.get(timeout=_RETRY_SECONDS if failed else None))
                while True:  # what has changed several times is one thing to do
                    failed.add(self._changed.get_nowait())

    def _on_change(self, item: Object, present: bool) -> None:
        self._changed.put((item["metadata"]["namespace"], item["metadata"]["name"]))
        if not present and item["kind"] == "PersistentVolumeClaim":
            self._changed.put(_ORPHANS)

    def _done(self, key: tuple[str, str]) -> bool:
        try:
            if key == _ORPHANS:
                for name in volumes.remove_orphans(self._lab, self._api, self.claims.all()):
                    logger.info("PersistentVolume %s: removed with its file", name)
            else:
                self._reconcile(*key)
        except Exception as error:  # an unexpected object must not block the other volumes
            expected = isinstance(error, (ApiError, LabError, OSError))
            logger.warning("volume %s: %s", "/".join(key), error, exc_info=not expected)
            return False
        return True

    def _reconcile(self, namespace: str, name: str) -> None:
        claim = self.claims.get(namespace, name)
        if claim and "deletionTimestamp" not in claim["metadata"] and volumes.is_pending(claim):
            volumes.provision(self._lab, self._api, claim)
        data_volume = self.data_volumes.get(namespace, name)
        if data_volume and "deletionTimestamp" not in data_volume["metadata"]:
            self._report(data_volume, claim)

    def _report(self, data_volume: Object, claim: Object | None) -> None:
        metadata = data_volume["metadata"]
        why_not = volumes.refusal(data_volume)
        if why_not is None and claim is None:
            claim = self._create_claim(data_volume)
        if why_not is None and claim and not _owned(claim, metadata["uid"]):
            if "deletionTimestamp" in claim["metadata"]:
                claim = None  # of a deleted DataVolume of the same name: its end triggers another pass
            else:
                why_not = f"PersistentVolumeClaim {metadata['name']} exists and doesn't belong to this DataVolume."
        wanted = volumes.data_volume_status(data_volume, claim, why_not)
        if why_not is not None:
            self._events.record(data_volume, "Warning", "UnsupportedDataVolume", why_not)
        if status.covers(data_volume.get("status"), wanted):
            return
        logger.info("DataVolume %s/%s: %s", metadata["namespace"], metadata["name"], wanted["phase"])
        now = status.timestamp(time.time())
        for condition in wanted["conditions"]:
            condition |= {"lastTransitionTime": now, "lastHeartbeatTime": now}
        body = {"status": wanted}
        self._api.patch(DATA_VOLUMES, metadata["name"], body, namespace=metadata["namespace"], subresource="status")

    def _create_claim(self, data_volume: Object) -> Object | None:
        try:
            return self._api.create(PERSISTENT_VOLUME_CLAIMS, volumes.claim_for(data_volume))
        except StatusError as error:
            if error.reason != "AlreadyExists":  # then the informer is about to see it
                raise
        return None


def _owned(claim: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in claim["metadata"].get("ownerReferences", ()))
