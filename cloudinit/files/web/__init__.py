"""The web guest's programs."""
