"""The load agent: follows the load plan, runs k6 by it, keeps what k6 measures and serves it by HTTP.

Runs in the guest on Python's standard library; nothing here is templated.
"""
