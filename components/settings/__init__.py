"""What a stack file may say: one file per topic, the only home of defaults and of checks."""

from components.settings.stack import Settings

__all__ = ["Settings"]
