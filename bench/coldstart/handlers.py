"""One cold start of a handler in Python, in a process of its own: `handlers.py MODULE.NAME STARTED EVENT`.

Prints a line of JSON: what the import took (`init`) and what it and the event took together (`event`), both
in milliseconds of the process's CPU time and since STARTED (epoch seconds), and the handler's status. When
EVENT is null, no event is handled. Imports nothing at first that a handler might not need.
"""

import sys
import time


def used() -> dict[str, float]:
    return {"cpu_ms": time.process_time() * 1000, "wall_ms": (time.time() - float(sys.argv[2])) * 1000}


module_name, _, name = sys.argv[1].rpartition(".")
module = __import__(module_name, fromlist=[name])
init = used()

import json  # noqa: E402

event = json.loads(sys.argv[3])
answer = None if event is None else getattr(module, name)(event, None)
after = used()
status = answer and answer.get("statusCode", 200)
sys.stdout.write(json.dumps({"init": init, "event": after, "status": status}) + "\n")
