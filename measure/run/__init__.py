"""One run of load: its plan, its place in the cluster, and what comes back while it goes on."""
