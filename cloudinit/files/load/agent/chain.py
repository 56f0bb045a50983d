"""Whether a request crosses every tier and comes back."""

import json
import urllib.error
import urllib.request

PATH = "/api/v1/accounts/1"
TIMEOUT = 3.0  # seconds


def problem_of(target: str) -> str:
    """Why the tiers behind a base URL don't answer, or nothing when they do."""
    try:
        with urllib.request.urlopen(f"{target}{PATH}", timeout=TIMEOUT):  # noqa: S310 a http URL of our own
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return f"{target}{PATH} answers {error.code}{_words(error.read(1000))}"
    except (OSError, ValueError) as error:
        return f"{target}{PATH} does not answer: {getattr(error, 'reason', error)}"


def _words(body: bytes) -> str:
    """What an error's body says."""
    try:
        return f": {json.loads(body)['error']}"
    except (ValueError, KeyError, TypeError):
        return ""
