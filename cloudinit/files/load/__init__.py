"""The load generator: k6 scripts, and the agent that runs k6."""
