"""Hooks with which the engine asks this program before it changes a resource, in a preview as well as in an update."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pulumi

Inputs: TypeAlias = Mapping[str, Any]


class RefusedError(Exception):
    """A change that would lose or take over data; the engine reports the message and leaves the resource as it is."""


def asking(
    name: str, *, create: Callable[[Inputs], None] | None = None, update: Callable[[Inputs, Inputs], None] | None = None
) -> pulumi.ResourceHookBinding:
    """Return the hooks of a resource.

    Args:
        name: Name of the hooks, unique in the stack.
        create: Is called with the inputs before the resource is created, also in place of an old one.
        update: Is called with the old and the new inputs before the resource is updated.
    """
    options = pulumi.ResourceHookOptions(on_dry_run=True)

    def before_create(arguments: pulumi.ResourceHookArgs) -> None:
        if create:
            create(arguments.new_inputs or {})

    def before_update(arguments: pulumi.ResourceHookArgs) -> None:
        if update:
            update(arguments.old_inputs or {}, arguments.new_inputs or {})

    return pulumi.ResourceHookBinding(
        before_create=[pulumi.ResourceHook(f"{name}-create", before_create, options)] if create else None,
        before_update=[pulumi.ResourceHook(f"{name}-update", before_update, options)] if update else None,
    )


def pausing(name: str, seconds: float) -> pulumi.ResourceHookBinding:
    """Return the hook of a resource that is created after a pause.

    Args:
        name: Name of the hook, unique in the stack.
        seconds: Length of the pause.
    """

    async def before_create(_: pulumi.ResourceHookArgs) -> None:
        await asyncio.sleep(seconds)

    return pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook(name, before_create)])
