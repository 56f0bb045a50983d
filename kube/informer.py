"""Following the objects of one kind: a list, then a watch, for ever, whatever happens to the API server."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from http import HTTPStatus
from threading import Event, Lock, Thread

from kube.client import Api, ApiError, Object, Resource
from lab.node.log import log

_RETRY_SECONDS = 0.5


class Follower(Thread):
    """Keeps the present objects of a kind, by namespace and name, and calls back on every change.

    The callback gets the object as it is or last was, and whether it is still there; it must be quick and must not
    raise. After a lost connection the list is compared with what was known, so no deletion is missed.
    """

    def __init__(
        self, api: Api, resource: Resource, on_change: Callable[[Object, bool], None], *, labels: str | None = None
    ) -> None:
        """Prepare to follow; `labels` selects objects."""
        super().__init__(name=f"follow-{resource.plural}", daemon=True)
        self._api = api
        self._resource = resource
        self._on_change = on_change
        self._labels = labels
        self._objects: dict[tuple[str, str], Object] = {}
        self._lock = Lock()
        self.synced = Event()

    def get(self, namespace: str, name: str) -> Object | None:
        """Return an object as last seen."""
        with self._lock:
            return self._objects.get((namespace, name))

    def all(self) -> list[Object]:
        """Return all objects as last seen."""
        with self._lock:
            return list(self._objects.values())

    def run(self) -> None:
        """Follow until the process ends."""
        pause = Event()
        version, said = "", ""
        while True:
            try:
                version = version or self._list()
                for kind, item in self._api.watch(self._resource, version, labels=self._labels):
                    version = item["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        self._take(item, present=kind != "DELETED")
            except Exception as error:  # whatever an odd object may cause: without this thread the agent is blind
                version = ""
                if isinstance(error, ApiError) and error.status == HTTPStatus.GONE:
                    continue
                trouble = str(error) if isinstance(error, ApiError) else traceback.format_exc()
                if trouble != said:
                    said = trouble
                    log(f"{self._resource.plural}: {said}; trying again")
                pause.wait(_RETRY_SECONDS)

    def _list(self) -> str:
        items, version = self._api.list(self._resource, labels=self._labels)
        present = {item["metadata"]["uid"] for item in items}
        for known in self.all():
            if known["metadata"]["uid"] not in present:
                self._take(known, present=False)
        for item in items:
            self._take(item, present=True)
        self.synced.set()
        return version

    def _take(self, item: Object, *, present: bool) -> None:
        with self._lock:
            if present:
                self._objects[_key(item)] = item
            else:
                self._objects.pop(_key(item), None)
        self._on_change(item, present)


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
