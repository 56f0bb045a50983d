"""Events: what `kubectl describe` shows when something is stuck."""

from __future__ import annotations

import logging
import time
import uuid
from collections import OrderedDict
from threading import Lock
from typing import Literal

from kube.client import Api
from kube.errors import ApiError
from kube.resources import EVENTS, Object
from lab.config import NODE_NAME
from lab.node.status import timestamp

_MESSAGE_LIMIT = 1024
_REMEMBERED = 1000

logger = logging.getLogger(__name__)


class Recorder:
    """Writes Events, each only once per object: repeating a lasting state adds nothing."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._recorded: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._lock = Lock()

    def record(self, about: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Write an Event about an object; a failure is only logged."""
        metadata = about["metadata"]
        message = message[-_MESSAGE_LIMIT:]
        key = (metadata["uid"], reason, message)
        with self._lock:
            if key in self._recorded:
                return
            self._recorded[key] = None
            if len(self._recorded) > _REMEMBERED:
                self._recorded.popitem(last=False)
        logger.info("%s %s/%s: %s: %s", about["kind"], metadata["namespace"], metadata["name"], reason, message)
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
            logger.warning("Event not written: %s", error)
