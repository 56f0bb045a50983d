"""What a stack file can contain: one file per topic, the only place for defaults and checks."""

from components.settings.stack import Settings

__all__ = ["Settings"]
