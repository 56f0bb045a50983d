"""Locust's users: each requests an account at a constant rate of its own."""

import os

from locust import FastHttpUser, constant_throughput, task  # type: ignore[import-not-found,unused-ignore]


class Client(FastHttpUser):  # type: ignore[misc,unused-ignore]
    """One user."""

    wait_time = constant_throughput(float(os.environ["RATE"]))

    @task  # type: ignore[untyped-decorator,unused-ignore]
    def account(self) -> None:
        """Request an account."""
        self.client.get("/api/v1/accounts/1")
