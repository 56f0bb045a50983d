"""The programs and guest images that the lab runs: found, built and cached."""
