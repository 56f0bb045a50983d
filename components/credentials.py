"""The database's credentials: one random password, in one Secret."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from components.names import Names, TierName


class Credentials(pulumi.ComponentResource):
    """What the application logs in to the database with.

    Attributes:
        password: the password, marked secret by its provider; guests get it in their user data, which is in Secrets.
    """

    password: pulumi.Output[str]

    def __init__(self, names: Names, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("multi-tier:components:Credentials", "credentials", None, opts)
        # Letters and digits alone need no quoting anywhere; 32 of them are 190 bits.
        generated = random.RandomPassword(
            "password", length=32, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        self.password = generated.result
        kubernetes.core.v1.Secret(
            "credentials",
            metadata={
                "name": names.credentials,
                "namespace": names.namespace,
                "labels": names.labels(TierName.DATABASE),
            },
            type="Opaque",
            string_data={"username": DATABASE_USER, "password": self.password, "database": DATABASE_NAME},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
