"""Load runs against a running stack: latency per tier, gates, a verdict and a report."""
