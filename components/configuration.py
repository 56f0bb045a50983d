"""The configuration of the stack that is being deployed, as the engine holds it."""

from __future__ import annotations

import pulumi

from components.settings import Settings
from components.settings.refusals import ConfigurationError, parse

# As in Pulumi.yaml, which an engine may be too old to read it from.
ENGINE = ">=3.208.0"


def load() -> Settings:
    """Return the settings of the stack that is being deployed.

    Raises:
        pulumi.RunError: The engine is too old, or the configuration invalid; the message has a line for each error.
    """
    _check_engine()
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


def _check_engine() -> None:
    try:
        pulumi.require_pulumi_version(ENGINE)
    except Exception as error:  # the SDK raises nothing narrower
        raise pulumi.RunError(f"This program needs a Pulumi CLI of version {ENGINE}: {error}") from None
