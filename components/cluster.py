"""The cluster that the Kubernetes provider deploys to, for questions before a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import pulumi

from components.hooks import RefusedError
from kube import client
from kube.client import Api
from kube.errors import KubeconfigError, StatusError, UnreachableError

ANSWER_SECONDS = 10.0


@contextmanager
def asked(verb: str, resource: str, namespace: str = "") -> Iterator[None]:
    """Turn a failed request into a refusal, or into an error that the provider reports better.

    Raises:
        RefusedError: A right is missing, or the API server failed.
        UnreachableError: The credentials are invalid.
    """
    where = f" in namespace {namespace}" if namespace else ""
    try:
        yield
    except StatusError as error:
        match error.status:
            case HTTPStatus.NOT_FOUND:  # the cluster doesn't serve this kind, so it has no such object
                return
            case HTTPStatus.UNAUTHORIZED:
                raise UnreachableError(str(error)) from None
            case HTTPStatus.FORBIDDEN:
                problem = f"the right to {verb} {resource}{where} is missing (docs/cluster-access.md)"
            case _:
                problem = f"{error}. Try again"
        raise RefusedError(f"Can't tell whether the stack's name and namespace are free: {problem}") from None


@contextmanager
def provider_api() -> Iterator[Api]:
    """Give access to the cluster that the Kubernetes provider deploys to.

    Raises:
        KubeconfigError: The kubeconfig can't be used.
    """
    kubeconfig, context, cluster = (
        pulumi.runtime.get_config(f"kubernetes:{key}") for key in ("kubeconfig", "context", "cluster")
    )
    with TemporaryDirectory() as directory:
        file = _file(kubeconfig, Path(directory)) if kubeconfig else None
        yield client.connect(file, context, cluster, local=False, timeout=ANSWER_SECONDS)


def provider_server() -> str | None:
    """Return the URL of that cluster's API server; None if the kubeconfig can't be used."""
    with suppress(KubeconfigError, UnreachableError), provider_api() as api:
        return api.server
    return None


def _file(kubeconfig: str, directory: Path) -> Path:
    """Return the file of a kubeconfig that is given by its path or, as the provider allows, by its content."""
    with suppress(OSError, ValueError):  # a content is no valid path
        path = Path(kubeconfig).expanduser()
        if path.is_file():
            return path
    file = directory / "kubeconfig"
    file.touch(0o600)
    file.write_text(kubeconfig)
    return file
