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
    """

    def __init__(self, settings: Settings) -> None:
        options = pulumi.ResourceOptions(hooks=ownership.hooks(settings))
        super().__init__("multi-tier:components:Credentials", "credentials", ownership.remembered(settings), options)
        self._names = settings.names
        # Letters and digits need no quoting anywhere; 32 of them have 190 bits of entropy.
        self.generated = random.RandomPassword(
            "password",
            length=32,
            special=False,
            keepers=_keepers(settings.database.password_version),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def store(self, opts: pulumi.ResourceOptions) -> None:
        """Declare the Secret, which guests read while they run."""
        names = self._names
        kubernetes.core.v1.Secret(
            "credentials",
            metadata={
                "name": names.credentials,
                "namespace": names.namespace,
                "labels": names.labels(TierName.DATABASE),
            },
            type="Opaque",
            string_data={"username": DATABASE_USER, "password": self.generated.result, "database": DATABASE_NAME},
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=self)),
        )
        self.register_outputs({})


def _keepers(version: int) -> dict[str, str] | None:
    """Return what makes a new password when it changes; nothing for version 1, as before there were versions."""
    return {"version": str(version)} if version > 1 else None
