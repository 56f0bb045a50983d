"""What the lab uses of this machine's kernel: networks and control groups."""
