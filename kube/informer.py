"""An informer: a local copy of all objects of one resource type, kept current by list and watch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from threading import Event, Lock, Thread

from kube.client import Api
from kube.errors import ApiError, StatusError
from kube.resources import Object, Resource

_RETRY_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Informer(Thread):
    """Keeps a cache of objects by namespace and name, and reports every change.

    The callback gets the object in its current or last known state, and whether it still exists. It must return
    quickly and must not raise. After a lost connection the new list is compared with the cache, so that no deletion is
    missed.

    Attributes:
        synced: Set once the cache is complete.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        on_change: Callable[[Object, bool], None],
        *,
        namespace: str | None = None,
        labels: str | None = None,
    ) -> None:
        """Prepare to watch the objects in a namespace, by default in all, that match the label selector."""
        super().__init__(name=f"informer-{resource.plural}", daemon=True)
        self.synced = Event()
        self._api = api
        self._resource = resource
        self._on_change = on_change
        self._namespace = namespace
        self._labels = labels
        self._objects: dict[tuple[str, str], Object] = {}
        self._lock = Lock()
        self._stopping = Event()

    def get(self, namespace: str, name: str) -> Object | None:
        """Return an object from the cache."""
        with self._lock:
            return self._objects.get((namespace, name))

    def all(self) -> list[Object]:
        """Return all objects in the cache."""
        with self._lock:
            return list(self._objects.values())

    def put(self, item: Object) -> None:
        """Store the response to a change of an object, unless the cache has a newer one, or the object is gone.

        So the next look at the cache doesn't find the object as it was before.
        """
        with self._lock:
            known = self._objects.get(_key(item))
            if known and _same(known, item) and _version(known) < _version(item):
                self._objects[_key(item)] = item

    def run(self) -> None:
        """List and watch until stopped, or until the process ends."""
        version, logged = "", ""
        while not self._stopping.is_set():
            try:
                version = version or self._list()
                for kind, item in self._api.watch(self._resource, version, self._namespace, labels=self._labels):
                    version = item["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        self._update(item, present=kind != "DELETED")
            except Exception as error:  # an unexpected object must not end the thread: the cache would go stale
                version = ""
                if isinstance(error, StatusError) and error.status == HTTPStatus.GONE:
                    continue
                if repr(error) != logged and not self._stopping.is_set():
                    logged = repr(error)
                    trace = None if isinstance(error, ApiError) else error
                    logger.warning("%s: %s; retrying", self._resource.plural, error, exc_info=trace)
                self._stopping.wait(_RETRY_SECONDS)

    def stop(self) -> None:
        """End the thread with the watch that it is in."""
        self._stopping.set()

    def _list(self) -> str:
        items, version = self._api.list(self._resource, self._namespace, labels=self._labels)
        present = {item["metadata"]["uid"] for item in items}
        for known in self.all():
            if known["metadata"]["uid"] not in present:
                self._update(known, present=False)
        for item in items:
            self._update(item, present=True)
        self.synced.set()
        return version

    def _update(self, item: Object, *, present: bool) -> None:
        with self._lock:
            known = self._objects.get(_key(item))
            if not present:
                self._objects.pop(_key(item), None)
            elif not (known and _same(known, item) and _version(known) > _version(item)):
                self._objects[_key(item)] = item
        self._on_change(item, present)


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _same(one: Object, other: Object) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _version(item: Object) -> int:
    """Return the version of an object, of which a later one is greater."""
    return int(item["metadata"]["resourceVersion"])
