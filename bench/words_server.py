"""A vosk-server that recognises nothing and costs nothing: `python -m bench.words_server`.

Every utterance gets one of the load generator's questions: a partial from its third message on, the final at
its end. It prints "ready PORT", and stands for recognition on other machines.
"""

from __future__ import annotations

import asyncio
import itertools
import json

from websockets.asyncio.server import ServerConnection, serve

from bench.speech import QUESTIONS

PARTIAL_FROM = 3  # messages of 0.1 s
_texts = itertools.cycle(QUESTIONS)


async def _utterances(connection: ServerConnection) -> None:
    heard, text = 0, next(_texts)
    async for message in connection:
        if isinstance(message, bytes):
            heard += 1
            await connection.send(json.dumps({"partial": text if heard >= PARTIAL_FROM else ""}))
        elif "config" in message:
            continue
        else:  # reset or eof
            await connection.send(json.dumps({"text": text}))
            if "eof" in message:
                return
            heard, text = 0, next(_texts)


async def _main() -> None:
    async with serve(_utterances, "127.0.0.1", 0, compression=None) as server:
        print("ready", next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
