"""Faults on the one-machine lab with load running: what a client sees, for how long, and what is lost."""
