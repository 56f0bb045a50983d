"""Measuring a running stack: one run of load, its numbers per tier, a verdict and a report."""
