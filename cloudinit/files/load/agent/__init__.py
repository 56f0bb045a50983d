"""The load agent: follows the load plan, runs k6 accordingly, and serves k6's samples over HTTP.

Runs in the guest on Python's standard library.
"""
