"""How the program waits for its resources."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from tests.unit.components.mocks import deploy


@pytest.mark.parametrize("instances", [2, 8])
def test_the_cost_of_waiting_grows_with_the_number_of_resources_only(
    monkeypatch: pytest.MonkeyPatch, instances: int
) -> None:
    awaited: list[int] = []
    wait = asyncio.wait

    async def counted(tasks: Collection[asyncio.Future[Any]], **options: Any) -> Any:
        awaited.append(len(tasks))
        return await wait(tasks, **options)

    monkeypatch.setattr(asyncio, "wait", counted)
    # A name of its own, because deployments are kept.
    deployment = deploy({"instances": str(instances), "name": f"awaited-{instances}"})

    # The SDK alone waits for each of several outputs of a resource, again and again.
    assert sum(awaited) < 2 * len(deployment.resources)
