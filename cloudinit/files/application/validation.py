"""Checks of what clients send; a Refusal says what is allowed."""

import asyncio
import json

from .asgi import Request
from .responses import Refusal

LARGEST_INTEGER = 2**31 - 1  # PostgreSQL's int4, the type of every number in pgbench's tables
LARGEST_BODY = 256  # bytes
BODY_SECONDS = 5.0

_CHANGE = (
    'the body must be {"delta": n} and nothing else, '
    f"with an integer n from {-LARGEST_INTEGER - 1} to {LARGEST_INTEGER}"
)


def identifier(text: str, thing: str, largest: int) -> int:
    """Return an id from its part of the path.

    Raises:
        Refusal: 400 for anything but a positive integer, 404 above the largest possible id.
    """
    digits = text.lstrip("0")
    if not (digits.isascii() and digits.isdigit()):
        raise Refusal(400, f"{thing} id must be a positive integer")
    # By length first: Python refuses to convert a number of thousands of digits.
    if len(digits) > len(str(largest)) or int(digits) > largest:
        raise Refusal(404, f"no such {thing}")
    return int(digits)


async def delta(request: Request) -> int:
    """Return the change of a balance from a request's body.

    Raises:
        Refusal: 400, 408, 413 or 415.
    """
    media_type = request.header(b"content-type").partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        raise Refusal(415, "the body must be JSON, with the header Content-Type: application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _body(request)
        found = json.loads(body.decode("utf-8"))
    except TimeoutError:
        raise Refusal(408, f"the body did not arrive within {BODY_SECONDS:g} s") from None
    except (ValueError, RecursionError):
        raise Refusal(400, _CHANGE) from None
    if not isinstance(found, dict) or set(found) != {"delta"}:
        raise Refusal(400, _CHANGE)
    value = found["delta"]
    # type(), not isinstance(): to Python, true is an integer.
    if type(value) is not int or not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise Refusal(400, _CHANGE)
    return value


async def _body(request: Request) -> bytes:
    body, more = b"", True
    while more:
        message = await request.receive()
        # Of a client that is gone, there is no more.
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise Refusal(413, f"the body must be at most {LARGEST_BODY} bytes")
    return body
