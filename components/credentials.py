"""The database's credentials: one random password, in one Secret."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from components.names import Names, TierName


class Credentials(pulumi.ComponentResource):
    """The application's database credentials.

    Attributes:
        password: the password, marked as secret by its provider. Guests get it in their user data, in a Secret.
    """

    password: pulumi.Output[str]

    def __init__(self, names: Names, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("multi-tier:components:Credentials", "credentials", None, opts)
        # Letters and digits need no quoting anywhere; 32 of them have 190 bits of entropy.
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
