"""Requests at a steady rate, whatever becomes of the answers; started as `python load.py PORT RATE_FILE`.

The rate is read from the file every half second. It ends by itself after two and a half minutes or 40,000 requests,
and prints how many were answered and how many were not.
"""

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path

LIMIT_S = 150.0
MOST = 40_000
_ANSWER_S = 30.0


async def ask(port: int, counts: dict[str, int]) -> None:
    """One request on a connection of its own."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\r\nHost: web\r\n\r\n")
            answer = await reader.read(64)
            writer.close()
    except (OSError, TimeoutError):
        answer = b""
    counts["well" if b" 200 " in answer else "badly"] += 1


async def main(port: int, path: Path) -> None:
    """Ask until somebody takes the file away, or the limit is reached."""
    counts = {"well": 0, "badly": 0}
    open_asks: set[asyncio.Task[None]] = set()
    began, sent = time.monotonic(), 0
    due, read_at, rate = began, 0.0, 0.0
    while time.monotonic() - began < LIMIT_S and sent < MOST:
        now = time.monotonic()
        if now - read_at > 0.5:
            try:
                rate, read_at = float(path.read_text()), now
            except (OSError, ValueError):
                break
        due += 1 / max(rate, 1.0)
        sent += 1
        task = asyncio.create_task(ask(port, counts))
        open_asks.add(task)
        task.add_done_callback(open_asks.discard)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    for task in list(open_asks):
        task.cancel()
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
