"""The wait for a program's resources, whose cost grows with their number and not with its square.

The SDK waits until one of all outstanding outputs is complete, and then for the rest in the same way. A resource has
several outputs, so with thousands of resources, Python does little else.
"""

from __future__ import annotations

import asyncio

import pulumi


def await_resources() -> None:
    """Let the program await all resources at once; call it before the first one is declared."""
    declared: list[pulumi.Resource] = []

    def remember(args: pulumi.ResourceTransformationArgs) -> None:
        declared.append(args.resource)

    async def registered() -> None:
        if declared:
            # It raises nothing: the SDK reports failures when it finds them in the rest of its wait.
            await asyncio.wait([asyncio.ensure_future(resource.urn.future()) for resource in declared])

    pulumi.runtime.register_stack_transformation(remember)
    pulumi.run(registered)
