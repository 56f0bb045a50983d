"""Keeps DataVolumes, claims, volumes and their files in step."""

from __future__ import annotations

import queue
import time
import traceback
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
from lab.node.log import log

_RETRY_SECONDS = 1.0
# Stands in the queue for: look for volumes whose claims are gone.
_ORPHANS = ("", "orphans")


class Provisioner(Thread):
    """Works through changed DataVolumes and claims one by one: there are few, and each takes milliseconds."""

    def __init__(self, lab: Lab, api: Api, events: Recorder) -> None:
        """Prepare to follow DataVolumes and claims."""
        super().__init__(name="provisioner", daemon=True)
        self._lab = lab
        self._api = api
        self._events = events
        # Claims and DataVolumes share their names, so one key stands for both.
        self._changed: queue.Queue[tuple[str, str]] = queue.Queue()
        self.data_volumes = Informer(api, DATA_VOLUMES, self._on_change)
        self.claims = Informer(api, PERSISTENT_VOLUME_CLAIMS, self._on_change)

    def file_of(self, namespace: str, claim_name: str) -> Path | None:
        """Return the raw file of a bound claim, or None."""
        claim = self.claims.get(namespace, claim_name)
        if claim is None or not volumes.is_bound(claim):
            return None
        file = volumes.file_of(self._lab, claim)
        return file if file.exists() else None

    def run(self) -> None:
        """Provision until the process ends."""
        self.data_volumes.start()
        self.claims.start()
        self.claims.synced.wait()
        # What was deleted while no agent ran is found by the claims' absence.
        failed = {_ORPHANS}
        while True:
            failed = {key for key in failed if not self._done(key)}
            try:
                failed.add(self._changed.get(timeout=_RETRY_SECONDS if failed else None))
            except queue.Empty:
                continue

    def _on_change(self, item: Object, present: bool) -> None:
        self._changed.put((item["metadata"]["namespace"], item["metadata"]["name"]))
        if not present and item["kind"] == "PersistentVolumeClaim":
            self._changed.put(_ORPHANS)

    def _done(self, key: tuple[str, str]) -> bool:
        try:
            if key == _ORPHANS:
                self._remove_orphans()
            else:
                self._reconcile(*key)
        except (ApiError, LabError, OSError) as error:
            log(f"volume {'/'.join(key)}: {error}")
            return False
        except Exception:  # whatever an odd object may cause: the other volumes must not suffer
            log(f"volume {'/'.join(key)}: {traceback.format_exc()}")
            return False
        return True

    def _remove_orphans(self) -> None:
        for name in volumes.remove_orphans(self._lab, self._api, self.claims.all()):
            log(f"PersistentVolume {name}: removed with its file")

    def _reconcile(self, namespace: str, name: str) -> None:
        claim = self.claims.get(namespace, name)
        if claim and "deletionTimestamp" not in claim["metadata"]:
            self._provision(claim)
        data_volume = self.data_volumes.get(namespace, name)
        if data_volume and "deletionTimestamp" not in data_volume["metadata"]:
            self._report(data_volume, claim)

    def _provision(self, claim: Object) -> None:
        if claim["spec"].get("storageClassName") == volumes.STORAGE_CLASS and not volumes.is_bound(claim):
            volumes.provision(self._lab, self._api, claim)

    def _report(self, data_volume: Object, claim: Object | None) -> None:
        metadata = data_volume["metadata"]
        why_not = volumes.refusal(data_volume)
        if why_not is None and claim is None:
            claim = self._create_claim(data_volume)
        if why_not is None and claim and not _owned(claim, metadata["uid"]):
            if "deletionTimestamp" in claim["metadata"]:
                claim = None  # that of a DataVolume of the same name that was just deleted: its end brings us back here
            else:
                why_not = f"PersistentVolumeClaim {metadata['name']} exists already and is not this DataVolume's."
        wanted = volumes.data_volume_status(data_volume, claim, why_not)
        if why_not is not None:
            self._events.record(data_volume, "Warning", "UnsupportedDataVolume", why_not)
        if status.covers(data_volume.get("status"), wanted):
            return
        log(f"DataVolume {metadata['namespace']}/{metadata['name']}: {wanted['phase']}")
        now = status.timestamp(time.time())
        for condition in wanted["conditions"]:
            condition |= {"lastTransitionTime": now, "lastHeartbeatTime": now}
        body = {"status": wanted}
        self._api.patch(DATA_VOLUMES, metadata["name"], body, namespace=metadata["namespace"], subresource="status")

    def _create_claim(self, data_volume: Object) -> Object | None:
        try:
            return self._api.create(PERSISTENT_VOLUME_CLAIMS, volumes.claim_for(data_volume))
        except StatusError as error:
            if error.reason != "AlreadyExists":  # then the follower is about to show it
                raise
        return None


def _owned(claim: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in claim["metadata"].get("ownerReferences", ()))
