"""A process is told from any other, alive, dead or elsewhere."""

from __future__ import annotations

import subprocess
import sys

from nwchatctl.process_id import is_dead, this_process

PRINT_PROCESS = "from nwchatctl.process_id import this_process; print(this_process(), flush=True); input()"


def test_process_is_dead_only_after_its_end() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PRINT_PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert not is_dead(name)
        process.kill()
        process.stdout.read()
        # Killed, and not yet waited for: nothing of it runs any more.
        while not is_dead(name):
            assert process.poll() is None or is_dead(name)
        process.wait()
        assert is_dead(name)


def test_current_process_is_alive_and_those_of_other_hosts_are_unknown() -> None:
    assert not is_dead(this_process())
    assert not is_dead("another-machine:pid:[1]/1/1")
    assert not is_dead("")
    machine, pid, _ = this_process().split("/")
    # The same number, another process.
    assert is_dead(f"{machine}/{pid}/1")
