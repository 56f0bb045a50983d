"""Whether a request gets through every tier and back."""

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
        with error:
            return f"{target}{PATH} responds with {error.code}{_message(error.read(1000))}"
    except (OSError, ValueError) as error:
        return f"{target}{PATH} does not respond: {getattr(error, 'reason', error)}"


def _message(body: bytes) -> str:
    """Return the message in an error's body."""
    try:
        return f": {json.loads(body)['error']}"
    except (ValueError, KeyError, TypeError):
        return ""
