"""A player for the demonstration: joins, says hello, prints what arrives until an announcement does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from websockets.sync.client import connect

SECONDS = 30.0


def main(url: str, here: Path) -> None:
    """Touches `here` once the greeting has come back, so that the demonstration can go on."""
    hello = {"message": "hello from a player", "uname": "tchalvak", "sender_id": "128274"}
    with connect(url) as socket:
        socket.send(json.dumps(hello))
        while True:
            frame = json.loads(socket.recv(timeout=SECONDS))
            print(f"  (a player sees: {frame['uname'] or 'announcement'}: {frame['message']})", flush=True)
            if frame["type"] == "announcement":
                return
            here.touch()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
