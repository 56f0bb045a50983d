"""Open-loop load: requests at a steady rate, however long the responses take, each on a connection of its own.

Runs in a guest on its Python's standard library: `open_loop.py <port> <path> <rate> <seconds>`. For each status, prints
how many responses there were, how many of them with Retry-After, and the median and longest time to one, as JSON.
"""

import asyncio
import json
import statistics
import sys
import time
from typing import Any

LONGEST = 20.0  # seconds


async def request(port: int, path: str, found: dict[str, dict[str, Any]]) -> None:
    """Send a request, and count its response."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(LONGEST):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".encode())
            head = (await reader.read()).partition(b"\r\n\r\n")[0].lower()
            writer.close()
        status = head.split()[1].decode()
    except (OSError, TimeoutError, IndexError) as error:
        head, status = b"", type(error).__name__
    of_status = found.setdefault(status, {"retry_after": 0, "times": []})
    of_status["retry_after"] += b"\r\nretry-after: 1" in head
    of_status["times"].append(time.perf_counter() - started)


async def load(port: int, path: str, rate: float, seconds: float) -> dict[str, dict[str, Any]]:
    """Send requests for some time, and return what the responses were."""
    found: dict[str, dict[str, Any]] = {}
    started = time.perf_counter()
    async with asyncio.TaskGroup() as requests:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            requests.create_task(request(port, path.replace("#", str(number % 1000 + 1)), found))
    for of_status in found.values():
        times = of_status.pop("times")
        of_status |= {"responses": len(times), "median": statistics.median(times), "longest": max(times)}
    return found


if __name__ == "__main__":
    port, path, rate, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(load(int(port), path, float(rate), float(seconds)))))  # noqa: T201
