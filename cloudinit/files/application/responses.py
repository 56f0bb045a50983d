"""Responses of the application: JSON, and what it refuses."""

import json
from collections.abc import Mapping

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Response:
    """A JSON response.

    Args:
        content: The body; bytes are JSON already.
        status: The HTTP status.
        headers: More headers.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.body = content if isinstance(content, bytes) else _encode(content).encode("ascii")
        self.status = status
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()] if headers else []


class Refusal(Exception):  # noqa: N818 a refused request is the client's error
    """A request that is not served.

    Args:
        status: The HTTP status.
        reason: What is wrong with it, in words.
        headers: More headers.
    """

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.response = Response({"error": reason}, status, headers)
