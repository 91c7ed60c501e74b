"""`policy`: the IAM policies of docs/policies, for one account and one chat."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.iam_templates import boundary_name, policy_document
from nwchatctl.report import Line, Report

if TYPE_CHECKING:
    from nwchatctl.context import App

_DEPLOY = examples(
    ("make a managed policy of it", "nwchatctl policy deploy > deploy.json"),
    ("for an account that is not this one's", "nwchatctl policy deploy --account 123456789012"),
    ("limited to the APIs by their ids", "nwchatctl policy deploy --api-id a1b2c3d4e5"),
)
_RUN = examples(
    ("for the user of a cron job", "nwchatctl policy run > run.json"),
    ("for an account in China", "nwchatctl --region cn-north-1 policy run"),
)
_DOMAIN = examples(
    ("for the zone of the settings", "nwchatctl policy domain > domain.json"),
    ("for names in one hosted zone", "nwchatctl policy domain --zone Z0123456789ABC"),
)
_ADOPT = examples(
    ("for a chat made as in the tutorial", "nwchatctl policy adopt --api-id a1b2c3d4e5"),
    ("for a table of another name", "nwchatctl policy adopt --api-id a1b2c3d4e5 --table t"),
)
_LOGGING = examples(
    ("once for an account", "nwchatctl policy logging > logging.json"),
    ("without asking AWS", "nwchatctl policy logging --account 123456789012"),
)
_VPC = examples(
    ("for functions in a VPC", "nwchatctl policy vpc > vpc.json"),
    ("without asking AWS", "nwchatctl policy vpc --account 123456789012"),
)
_BOUNDARY = examples(
    ("before the first deploy", "nwchatctl policy boundary > boundary.json"),
    ("limited to the API by its id", "nwchatctl policy boundary --api-id a1b2c3d4e5"),
)

group = typer.Typer(
    help="Print the IAM policies that the operator and the functions need.",
    epilog=examples(
        ("who deploys", "nwchatctl policy deploy"),
        ("what broadcasts and prunes from cron", "nwchatctl policy run"),
        ("what no function's role can exceed", "nwchatctl policy boundary"),
    ),
)


def _parser(pattern: str, meaning: str) -> Callable[[str], str]:
    """Accepts what matches the whole pattern; `meaning` says what that is."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise typer.BadParameter(f"{meaning}, not {text}")
        return text

    return parse


_account = _parser(r"[0-9]{12}", "an account is 12 digits")
_partition = _parser(r"aws(-[a-z0-9]+)*", "a partition is aws, aws-cn, aws-us-gov or the like")
_api_id = _parser(r"[a-z0-9]{6,20}", "an API's id is letters and digits, as a1b2c3d4e5")
_zone = _parser(r"Z[A-Z0-9]{1,31}", "a hosted zone's id is Z and letters and digits")

PartitionOption = Annotated[
    str | None,
    typer.Option("--partition", metavar="NAME", parser=_partition, help="Instead of the Region's own."),
]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ID", parser=_account, help="Instead of asking AWS for it.")
]
ApisOption = Annotated[
    list[str] | None,
    typer.Option("--api-id", metavar="ID", parser=_api_id, help="Limit it to this API; may be repeated."),
]
ZonesOption = Annotated[
    list[str] | None,
    typer.Option("--zone", metavar="ID", parser=_zone, help="A hosted zone of the names; may be repeated."),
]


@group.command(epilog=_DEPLOY)
def deploy(
    ctx: typer.Context,
    partition: PartitionOption = None,
    account: AccountOption = None,
    api_id: ApisOption = None,
    json: JsonOption = False,
) -> Report:
    """Print the policy of who deploys.

    It allows every command but those of names, adoptions and the account's logging role. Roles are made only
    with the permissions boundary (`functions.permissions_boundary`).
    """
    return _printed(ctx, "deploy", partition, account, apis=tuple(api_id or ()))


@group.command(epilog=_RUN)
def run(
    ctx: typer.Context,
    partition: PartitionOption = None,
    account: AccountOption = None,
    api_id: ApisOption = None,
    json: JsonOption = False,
) -> Report:
    """Print the policy of what runs from cron.

    For `broadcast`, `connections list` and `prune`, `history tail` and `export`, `status` and `plan`. It
    changes nothing of the chat, and reads no token keys.
    """
    return _printed(ctx, "run", partition, account, apis=tuple(api_id or ()))


@group.command(epilog=_DOMAIN)
def domain(
    ctx: typer.Context,
    partition: PartitionOption = None,
    account: AccountOption = None,
    zone: ZonesOption = None,
    json: JsonOption = False,
) -> Report:
    """Print the policy for a chat with names of its own.

    Attach it beside that of `deploy`. It is limited to the names in `nwchat.toml` and to their hosted zones.
    """
    return _printed(ctx, "domain", partition, account, zones=tuple(zone or ()))


@group.command(epilog=_ADOPT)
def adopt(
    ctx: typer.Context,
    api_id: Annotated[
        str, typer.Option("--api-id", metavar="ID", parser=_api_id, help="The API that is adopted.")
    ],
    table: Annotated[str, typer.Option("--table", metavar="NAME", help="Its table.")] = "chat",
    function: Annotated[
        list[str] | None,
        typer.Option(
            "--function", metavar="NAME", help="One of its functions; repeated, if not as in the tutorial."
        ),
    ] = None,
    partition: PartitionOption = None,
    account: AccountOption = None,
    json: JsonOption = False,
) -> Report:
    """Print the policy for an adoption.

    Attach it beside that of `deploy` for the time of `adopt`, and detach it after.
    """
    functions = tuple(function or ("chat-connect", "chat-disconnect", "chat-on-message"))
    return _printed(ctx, "adopt", partition, account, apis=(api_id,), tables=(table,), functions=functions)


@group.command(epilog=_LOGGING)
def logging(
    ctx: typer.Context,
    partition: PartitionOption = None,
    account: AccountOption = None,
    json: JsonOption = False,
) -> Report:
    """Print the policy for `deploy --set-account-logging-role` and for access logs of the history API.

    Attach it beside that of `deploy` for the runs that set the role or switch access logs on or off: the role
    is the whole account's and has no boundary, and log deliveries are the whole account's too.
    """
    return _printed(ctx, "logging", partition, account)


@group.command(epilog=_VPC)
def vpc(
    ctx: typer.Context,
    partition: PartitionOption = None,
    account: AccountOption = None,
    json: JsonOption = False,
) -> Report:
    """Print the policy for functions in a VPC.

    Attach it beside that of `deploy` where `functions.subnets` is set: Lambda looks the subnets and security
    groups up with the permissions of the user who deploys.
    """
    return _printed(ctx, "vpc", partition, account)


@group.command(epilog=_BOUNDARY)
def boundary(
    ctx: typer.Context,
    partition: PartitionOption = None,
    account: AccountOption = None,
    api_id: ApisOption = None,
    json: JsonOption = False,
) -> Report:
    """Print the permissions boundary of the functions' roles.

    Make a managed policy of it, and set `functions.permissions_boundary` to its name.
    """
    return _printed(ctx, "boundary", partition, account, apis=tuple(api_id or ()))


def _printed(
    ctx: typer.Context, name: str, partition: str | None, account: str | None, **given: tuple[str, ...]
) -> Report:
    """The policy `name`. `given` are the lists of `PolicyOptions`."""
    from nwchatctl.operations import policies

    app: App = ctx.obj
    values = policies.policy_values(app, policies.PolicyOptions(partition or "", account or "", **given))
    if name == "domain":
        policies.require_domains(app, values)
    document = policy_document(name, values)
    policies.refuse_large_policy(document)
    policy = boundary_name(values.chat) if name == "boundary" else f"nwchat-{values.chat}-{name}"
    text = jsonlib.dumps(document, indent=2)
    return Report(
        data=document,
        body=tuple(Line(each, is_json=True) for each in text.splitlines()),
        requested=True,
        notes=(
            f"aws iam create-policy --policy-name {policy} --policy-document file://FILE makes a managed "
            "policy of it",
        ),
    )
