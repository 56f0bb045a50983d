"""Responses of the application: JSON, and headers that say who responded and how long each part took."""

import json
import os
import socket

from starlette.responses import JSONResponse  # type: ignore[import-not-found,unused-ignore]
from starlette.types import Receive, Scope, Send  # type: ignore[import-not-found,unused-ignore]

from .constants import DRAINING

_SERVED_BY = (b"x-served-by", socket.gethostname().encode())
# One encoder for all responses: making one takes longer than using it.
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Response(JSONResponse):  # type: ignore[misc,unused-ignore]
    """A JSON response; sending it stops the request's clock."""

    def render(self, content: object) -> bytes:
        """Return the body."""
        return _encode(content).encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        self.raw_headers.append(_SERVED_BY)
        self.raw_headers += scope["measurement"].headers(self.status_code)
        if os.path.exists(DRAINING):  # noqa: PTH110, a Path takes longer
            self.raw_headers.append((b"connection", b"close"))
        await super().__call__(scope, receive, send)
