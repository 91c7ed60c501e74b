"""A whole chat by the tool alone, as an operator with exactly our policies: deploy, smoke, destroy, adopt."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.live.identities import CommandFailed, User, administrators_command, make_boundary, make_user
from tests.live.leftovers import Account
from tests.live.run import Run

TOKEN = {"NWCHAT_AUTH__MODE": "token"}
"""The mode that has every kind of resource."""


def measure_chat(run: Run) -> None:
    """First deploy, plan, smoke test and destroy."""
    chat = run.chat("a")
    user = _operator(run, "a", ("deploy",))
    run.making("chat", chat)
    try:
        _timed(run, "first deploy", lambda: user.command(chat, "deploy", "--yes", **TOKEN))
        plan = user.command(chat, "plan", **TOKEN)
        run.answer("plan-empty", "no" if plan["changes"] else "yes")
        run.answer("smoke", _smoke(run, user, chat))
        command = ("destroy", "--delete-data", "--confirm", chat)
        _timed(run, "destroy", lambda: user.command(chat, *command, **TOKEN))
    except CommandFailed as error:
        run.reasons |= dict.fromkeys(("plan-empty", "smoke", "destroy-complete"), str(error))
        if "access_denied" not in str(error):
            raise
        run.answer("policy-enough", f"no: {error}")
        return
    run.answer("policy-enough", "yes")
    left = _left(run, chat)
    run.answer("destroy-complete", f"no: {', '.join(left)}" if left else "yes")


def _smoke(run: Run, user: User, chat: str) -> str:
    try:
        _timed(run, "smoke", lambda: user.command(chat, "smoke", **TOKEN))
    except CommandFailed as error:
        if "access_denied" in str(error):
            raise
        return f"no: {error}"
    return "yes"


def measure_adoption(run: Run) -> None:
    """The probe API, whose stage deploys automatically by now, adopted as a chat of the tool's own."""
    chat, made, function = run.chat("b"), run.shared["api"], run.name("probe")
    table = run.name("probe")
    options = ["--table", table]
    named = [
        each for each in ("connect", "disconnect", "message") for each in (f"--{each}-function", function)
    ]
    policy = ["--api-id", made, *options, "--function", function]
    _automatic(run, made)
    user = _operator(run, "b", ("deploy", "adopt"), policy)
    run.making("chat", chat)
    adopt = ["adopt", "--api-id", made, *options, *named, "--yes"]
    try:
        _timed(run, "adopt", lambda: user.command(chat, *adopt))
        plan = user.command(chat, "plan")
    except CommandFailed as error:
        run.answer("adopt-auto-deploy", f"no: {error}")
        return
    run.answer("adopt-auto-deploy", "no: the plan is not empty" if plan["changes"] else "yes")


def _automatic(run: Run, made: str) -> None:
    """Switches automatic deployments on for the probe stage, as the console does for every stage."""
    run.client("apigatewayv2").update_stage(
        ApiId=made,
        StageName="production",
        AutoDeploy=True,
        DefaultRouteSettings={"ThrottlingRateLimit": 200.0, "ThrottlingBurstLimit": 200},
    )


def _operator(run: Run, which: str, policies: tuple[str, ...], adopt: list[str] | None = None) -> User:
    """A user with the policies that `nwchatctl policy` prints for the chat, and the boundary of its roles."""
    chat, account = run.chat(which), ["--account", run.target.location.account]
    documents = {
        name: administrators_command(
            run, chat, "policy", name, *account, *((adopt or []) if name == "adopt" else [])
        )
        for name in policies
    }
    make_boundary(run, chat, administrators_command(run, chat, "policy", "boundary", *account))
    return make_user(run, f"{which}-user", documents)


def _timed(run: Run, what: str, call: Callable[[], Any]) -> Any:
    began = time.monotonic()
    done = call()
    run.durations[what] = round(time.monotonic() - began, 1)
    return done


def _left(run: Run, chat: str) -> list[str]:
    """What still exists of a chat that was destroyed: everything with its name but its user and policies."""
    prefix = f"nwchat-{chat}"
    found = Account(run.client).leftovers()
    return [str(each) for each in found if prefix in each.name and each.kind not in ("user", "policy")]
