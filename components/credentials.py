"""The database's credentials: one random password, in one Secret. They are the first that a stack creates."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from components import ownership
from components.names import TierName
from components.settings import Settings


class Credentials(pulumi.ComponentResource):
    """The application's database credentials.

    As the stack's first resource, the component also remembers where the stack's objects are and what its data disk
    holds.

    Attributes:
        generated: The resource that generates it, which everything else depends on.
        password: The password, marked as secret by its provider. Guests get it in their user data, in a Secret.
    """

    password: pulumi.Output[str]

    def __init__(self, settings: Settings) -> None:
        options = pulumi.ResourceOptions(hooks=ownership.hooks(settings))
        super().__init__("multi-tier:components:Credentials", "credentials", ownership.remembered(settings), options)
        self._names = settings.names
        # Letters and digits need no quoting anywhere; 32 of them have 190 bits of entropy.
        self.generated = random.RandomPassword(
            "password", length=32, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        self.password = self.generated.result

    def store(self, opts: pulumi.ResourceOptions) -> None:
        """Declare the Secret."""
        names = self._names
        kubernetes.core.v1.Secret(
            "credentials",
            metadata={
                "name": names.credentials,
                "namespace": names.namespace,
                "labels": names.labels(TierName.DATABASE),
            },
            type="Opaque",
            string_data={"username": DATABASE_USER, "password": self.password, "database": DATABASE_NAME},
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=self)),
        )
        self.register_outputs({})
