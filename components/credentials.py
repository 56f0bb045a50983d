"""The database's credentials: one random password, in one Secret. A stack creates them first."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from components import ownership
from components.hooks import pausing
from components.names import TierName
from components.settings import Settings


class Credentials(pulumi.ComponentResource):
    """The application's database credentials.

    As the stack's first resource, the component of the first instance also remembers where the stack's objects are and
    what their data disks hold.

    Attributes:
        generated: The resource that generates it, which everything else depends on.
    """

    def __init__(self, settings: Settings, before: Sequence[pulumi.Resource] = (), pause: float | None = None) -> None:
        """Declare the component and the password.

        Args:
            settings: Settings of the instance.
            before: What exists before.
            pause: Seconds to pause first, if the instance is new.
        """
        self._names = names = settings.names
        first = names.instance == 0
        hooks = ownership.hooks(settings) if first else pausing(names.resource("pause"), pause) if pause else None
        remembered = ownership.remembered(settings) if first else None
        options = pulumi.ResourceOptions(hooks=hooks, depends_on=list(before))
        super().__init__("multi-tier:components:Credentials", names.resource("credentials"), remembered, options)
        # Letters and digits need no quoting anywhere; 32 of them have 190 bits of entropy.
        self.generated = random.RandomPassword(
            names.resource("password"),
            length=32,
            special=False,
            keepers=_keepers(settings.database.password_version),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def store(self, opts: pulumi.ResourceOptions) -> None:
        """Declare the Secret, which guests read while they run."""
        names = self._names
        kubernetes.core.v1.Secret(
            names.resource("credentials"),
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
