"""From samples to figures and a verdict: nothing here knows a cluster or a terminal."""
