"""Events: what a person sees with `kubectl describe` when something doesn't go on."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from threading import Lock
from typing import Literal

from kube.client import Api
from kube.errors import ApiError
from kube.resources import EVENTS, Object
from lab.config import NODE_NAME
from lab.node.log import log
from lab.node.status import timestamp

_MESSAGE_LIMIT = 1024
_REMEMBERED = 1000


class Recorder:
    """Writes events, each but once an object: repeating a state that lasts says nothing new."""

    def __init__(self, api: Api) -> None:
        """Write through a client that may create Events everywhere."""
        self._api = api
        self._said: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._lock = Lock()

    def record(self, about: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Write an event about an object; a failure to do so is logged and nothing more."""
        metadata = about["metadata"]
        message = message[-_MESSAGE_LIMIT:]
        key = (metadata["uid"], reason, message)
        with self._lock:
            if key in self._said:
                return
            self._said[key] = None
            if len(self._said) > _REMEMBERED:
                self._said.popitem(last=False)
        log(f"{about['kind']} {metadata['namespace']}/{metadata['name']}: {reason}: {message}")
        now = timestamp(time.time())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                **{name: metadata[name] for name in ("namespace", "name", "uid", "resourceVersion")},
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": "node-agent", "host": NODE_NAME},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._api.create(EVENTS, event)
        except ApiError as error:
            log(f"no event written: {error}")
