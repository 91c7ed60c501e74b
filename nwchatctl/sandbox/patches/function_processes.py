"""The processes of functions, separate from the operator's and the server's environment.

ministack 1.5.33 starts a function with the whole environment of its server and with the operator's HOME. On
Lambda a function has variables of its own and none of anybody's home ("Working with Lambda environment
variables"). Its working directory is the folder with its unpacked code, as on Lambda.
"""

from __future__ import annotations

import os
import site
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

# What a process of any runtime needs of the machine.
_KEPT_VARIABLES = frozenset(
    {"PATH", "LANG", "TZ", "PYTHONUTF8", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"}
)


def function_environment(
    wanted: Mapping[str, str], server: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """`wanted` without the variables that come from the server's environment; HOME and TMPDIR in `folder`.

    A function's own variable is left out if the server has the same value; ministack's script in the process
    sets the function's own variables again.
    """
    own = {
        name: value for name, value in wanted.items() if name in _KEPT_VARIABLES or server.get(name) != value
    }
    return {**own, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}


class FunctionSubprocess:
    """The module `subprocess` as ministack's code of functions uses it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, *args: Any, **options: Any) -> Any:
        return subprocess.Popen(*args, **_separated(options))

    def run(self, *args: Any, **options: Any) -> Any:
        return subprocess.run(*args, check=False, **_separated(options))


def _separated(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a function's process, which ministack starts in the folder of its code."""
    folder = Path(options["cwd"]).parent
    environment = function_environment(options["env"], os.environ, folder)
    for name in ("HOME", "TMPDIR"):
        Path(environment[name]).mkdir(mode=0o700, exist_ok=True)
    if site.ENABLE_USER_SITE:
        # With another HOME, Python would not find boto3 that was installed with `pip install --user`.
        environment["PYTHONUSERBASE"] = site.getuserbase()
    return {**options, "env": environment}


def refuse_custom_runtime(*_: Any, **__: Any) -> Any:
    """ministack serves the runtime API of a `provided` function on a port of its own, to every user of the
    machine. No chat has such a function."""
    raise lambda_runtime.ProvidedRuntimeError(
        "the sandbox runs no functions with a custom runtime", "Runtime.InvalidEntrypoint"
    )


def install() -> None:
    lambda_runtime.subprocess = lambda_svc.subprocess = FunctionSubprocess()
    lambda_runtime.ProvidedWorker._spawn = refuse_custom_runtime
    # So that the other way to start one ends there too.
    lambda_svc._execute_function_provided = lambda_svc._execute_function_provided_warm
