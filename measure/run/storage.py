"""What the database's disk was measured to do, as the application tells it."""

from __future__ import annotations

from pydantic import ValidationError

from measure.failures import MeasureError
from measure.run.cluster import Cluster
from measure.summary import Storage


def storage(cluster: Cluster) -> Storage | None:
    """Return the figures of the data disk; None where there are none, or they can't be read: a run goes without."""
    path = f"/api/v1/namespaces/{cluster.namespace}/services/{cluster.name}-web:http/proxy/api/v1/storage"
    try:
        return Storage.model_validate(cluster.read(path))
    except (MeasureError, ValidationError):
        return None
