"""What a fan-out takes of memory: as much for many as for few."""

from __future__ import annotations

import subprocess
import sys

_FAN_OUT = """
import resource, sys
from collections import deque
from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.poster import Poster
from nwchat.model.rows import Recipient
from nwchat.aws.signing import Credentials
from nwchat.delivery.targets import RowDeletion

class Transport:
    def run(self, scheduler, stop_reason=None):
        now, out = 0.0, deque()
        while not scheduler.done:
            while (call := scheduler.next_call(now)) is not None:
                out.append(call)
            now += 0.001
            for _ in range(len(out)):
                call = out.popleft()
                gone = call.item.connection_id.endswith("7") and len(call.body) < 10
                scheduler.record_response(call, 410 if gone else 200, b"", now)

def pages(count):
    for start in range(0, count, 1000):
        yield [Recipient(f"L0SM9c{number:09}", {"connected_at": {"N": str(number)}})
               for number in range(start, min(start + 1000, count))]

keys = lambda: Credentials("AK", "secret", "token")
rows = RowDeletion("https://dynamodb.example", "us-east-2", "connections", keys)
poster = Poster(Transport(), "https://gateway.example/prod", "us-east-2", keys, rows, lambda: 10**12)
count = int(sys.argv[1])
done = poster.post_all(Prefetcher([lambda: pages(count)]), b"hi")
assert done.recipients == count == done.delivered + done.gone, done
assert done.gone == done.forgotten == count // 10, done
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_mb(recipients: int) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _FAN_OUT, str(recipients)],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    # Kilobytes on Linux, bytes on macOS.
    return int(done.stdout) / (1024 if sys.platform != "darwin" else 1024 * 1024)


def test_memory_stays_flat() -> None:
    few, many = peak_mb(1_000), peak_mb(200_000)
    assert many - few < 12
