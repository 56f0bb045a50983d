"""What the application answers with: JSON, and headers that say who answered and how long each part took."""

import json
import socket

from starlette.responses import JSONResponse  # type: ignore[import-not-found,unused-ignore]
from starlette.types import Receive, Scope, Send  # type: ignore[import-not-found,unused-ignore]

_SERVED_BY = (b"x-served-by", socket.gethostname().encode())
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Answer(JSONResponse):  # type: ignore[misc,unused-ignore]
    """An answer; when it is sent, the request's clock stops."""

    def render(self, content: object) -> bytes:
        """The body; by one encoder for all answers, since making one takes longer than using it."""
        return _encode(content).encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self.raw_headers.append(_SERVED_BY)
        self.raw_headers += scope["measured"].headers(self.status_code)
        await super().__call__(scope, receive, send)
