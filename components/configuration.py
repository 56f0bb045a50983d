"""The configuration of the stack that is being deployed, as the engine holds it."""

from __future__ import annotations

import pulumi

from components.settings import Settings
from components.settings.refusals import ConfigurationError, parse


def load() -> Settings:
    """Return the settings of the stack that is being deployed.

    Raises:
        pulumi.RunError: The configuration is invalid; the message has a line for each error.
    """
    prefix = f"{pulumi.get_project()}:"
    raw = {
        key.removeprefix(prefix): value
        for key, value in pulumi.runtime.config.CONFIG.get().items()
        if key.startswith(prefix)
    }
    secrets = frozenset(key for key in raw if pulumi.runtime.is_config_secret(prefix + key))
    try:
        return parse(raw, secrets, prefix)
    except ConfigurationError as error:
        raise pulumi.RunError(str(error)) from None
