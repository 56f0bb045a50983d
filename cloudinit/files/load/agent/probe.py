"""Whether a request gets through every tier and back."""

import http.client
import json
import urllib.error
import urllib.request

PATH = "/api/v1/accounts/1"
TIMEOUT = 3.0  # seconds


def probe(target: str) -> str:
    """Return why the tiers behind a base URL don't respond; an empty string when they do."""
    try:
        with urllib.request.urlopen(f"{target}{PATH}", timeout=TIMEOUT):  # noqa: S310 our own http URL
            return ""
    except urllib.error.HTTPError as error:
        return f"{target}{PATH} responds with {error.code}{_message(error)}"
    except http.client.HTTPException as error:
        return f"{target}{PATH} does not respond in HTTP: {error!r}"
    except (OSError, ValueError) as error:
        return f"{target}{PATH} does not respond: {getattr(error, 'reason', error)}"


def _message(error: urllib.error.HTTPError) -> str:
    """Return the message in an error's body, if that arrives and has one."""
    try:
        with error:
            return f": {json.loads(error.read(1000))['error']}"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return ""
