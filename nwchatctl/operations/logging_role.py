"""The logging role of the account: whether it is missing, whether this deploy sets it, and setting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.deploy.logging_role import LoggingRoleState, needs_logging_role
from nwchatctl.errors import ChatError
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.model.state import Key
    from nwchatctl.deploy.planner import Plan

FLAG = "--set-account-logging-role"


def missing_role_warnings(app: App) -> tuple[str, ...]:
    """The warning of a plan whose logs API Gateway cannot write. Asks AWS only if they are on."""
    if not app.settings.logs.needs_role or app.cloud.logging_role.logging_role():
        return ()
    return (_warning(app),)


def check_role(app: App, plan: Plan, *, asked: bool, dry_run: bool) -> LoggingRoleState:
    """The role as this deploy finds it and what it does about it, printed before anything is changed.

    Raises ChatError `account_logging_role` where AWS would refuse the plan for lack of a role.
    """
    needed = app.settings.logs.needs_role
    current = app.cloud.logging_role.logging_role() if needed or asked else ""
    found = LoggingRoleState(current, asked, needed)
    if found.is_missing and needs_logging_role(plan) and not dry_run:
        raise ChatError(
            _why(app),
            hint=f"`{app.command('deploy', FLAG)}` makes a role and sets it for all of {_api_gateway(app)}; "
            f'without it, set {_log_setting(app)} = "off"',
            code="account_logging_role",
        )
    if found.is_missing:
        app.warn(_warning(app))
    elif found.sets_role:
        app.warn(
            f"account-wide: {_api_gateway(app)} will log with {app.cloud.logging_role.own_role}; "
            "it has no role now"
        )
    elif asked:
        app.say(Line(f"{_api_gateway(app)} logs with {current} already, which is left as it is", Mark.DIM))
    return found


def confirm_role(app: App, role: LoggingRoleState, *, yes: bool) -> None:
    """Asks before the account's setting is changed. Raises ChatError, exit 7."""
    if role.sets_role:
        app.confirm(f"Set the logging role for {_api_gateway(app)}?", given=yes, flag="--yes")


def set_role(app: App, role: LoggingRoleState) -> None:
    """Makes and sets the account's role where that was asked for."""
    if role.sets_role:
        app.cloud.logging_role.set_logging_role()
        app.say(Line(f"{_api_gateway(app)} logs with {app.cloud.logging_role.own_role}", Mark.GOOD))


def account_role(app: App) -> tuple[Key, ...]:
    """The account's role among what `destroy` leaves, if it is the one that we make."""
    account = app.cloud.logging_role
    return (("account-logging-role", account.own_role),) if account.has_own_role() else ()


def _warning(app: App) -> str:
    return f"{_why(app)}; `{app.command('deploy', FLAG)}` sets one, account-wide"


def _why(app: App) -> str:
    return f"{_log_setting(app)} is on, and {_api_gateway(app)} has no role to log with"


def _log_setting(app: App) -> str:
    return "logs.access" if app.settings.logs.access == "on" else "logs.execution"


def _api_gateway(app: App) -> str:
    return f"API Gateway in {app.cloud.location.place}"
