"""AWS's errors, as the operator of this chat reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.aws.core.error_context import ErrorContext, facts_of
from nwchatctl.aws.core.errors import is_not_deployed, to_chat_error
from nwchatctl.config.aws_environment import config_file, environment_profile
from nwchatctl.operations.deployed_api import not_deployed

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.errors import ChatError


def explain_error(app: App, error: BaseException) -> ChatError | None:
    """The ChatError for an error of botocore or of posting; None for any other error.

    After a call that found no table or no function it reads AWS once more, for what is missing.
    """
    if is_not_deployed(error) and "aws" in app.__dict__:
        resource = facts_of(getattr(error, "response", {})).resource
        try:
            return not_deployed(app, resource)
        except (Exception, KeyboardInterrupt):
            # The first error says enough.
            return to_chat_error(error, error_context(app))
    return to_chat_error(error, error_context(app))


def error_context(app: App) -> ErrorContext:
    """What is known of the machine and the chat. Asks AWS nothing, and raises nothing."""
    environ, aws = app.environ, app.__dict__.get("aws")
    # Settings that cannot be read are an error of their own.
    loaded = app.__dict__.get("loaded")
    explicit = loaded.settings.aws.profile if loaded else app.options.profile
    kind, program = aws.sign_in_kind() if aws else ("", "")
    return ErrorContext(
        deploy=app.command("deploy"),
        profile=explicit or environment_profile(environ),
        config_file=config_file(environ),
        sign_in_kind=kind,
        process=program,
        environ=frozenset(name for name in environ if name.startswith("AWS_") and environ[name]),
    )
