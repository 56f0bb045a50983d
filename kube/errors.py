"""The ways in which using a Kubernetes API server fails."""

from __future__ import annotations


class ApiError(Exception):
    """The API server could not be used; each tool turns this into an error message of its own."""


class KubeconfigError(ApiError):
    """The kubeconfig is missing or invalid, or its server is not a Kubernetes API server."""


class UnreachableError(ApiError):
    """The API server did not answer in time, or the connection broke."""


class StatusError(ApiError):
    """The API server, or a service behind its proxy, answered with an HTTP error.

    Attributes:
        status: HTTP status code.
        message: Explanation in the response.
        reason: Machine-readable reason, such as "AlreadyExists"; empty if the response has none.
    """

    def __init__(self, request: str, status: int, message: str, reason: str = "") -> None:
        super().__init__(f"{request}: {status} {message}".rstrip())
        self.status = status
        self.message = message
        self.reason = reason
