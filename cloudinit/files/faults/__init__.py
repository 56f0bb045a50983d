"""Fault injection: follows the fault plan, and has systemd run and end each fault. Python's standard library only."""
