"""Measurements of the project itself, side by side on the one-machine lab."""
