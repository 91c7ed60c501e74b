"""One chat, used by its operator and by the root user of the emulator, for tests that deploy, change and
repair it.

`Operator.run` runs a command inside this process: arguments, streams and signals are tested elsewhere, and
boto3's clients, which take longer to create than a command takes to run, are created once.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.aws.dynamodb.deploy_table import DeployTable
from nwchatctl.cli import PROGRAM, tree
from nwchatctl.context import App
from nwchatctl.errors import ChatError
from nwchatctl.operations.aws_errors import explain_error
from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support import policies
from tests.e2e.support.sandbox import ONE_ADDRESS, Sandbox

ACCOUNT = policies.ACCOUNT

_POLICIES = f"arn:aws:iam::{ACCOUNT}:policy/"

READS = ("Get", "List", "Describe")
"""Prefixes of the operations that change nothing."""


@dataclass(frozen=True)
class Ran:
    """The result of a command: exit code, output, the calls that it sent, and its error."""

    code: int
    out: str
    err: str
    calls: tuple[str, ...]
    error: ChatError | None = None

    @property
    def data(self) -> Any:
        """The one JSON object on stdout."""
        assert self.error is None, (self.error.message, self.error.hint)
        return json.loads(self.out)

    @property
    def writes(self) -> list[str]:
        """The calls that change something."""
        return [each for each in self.calls if not each.startswith(READS)]

    @property
    def resource_writes(self) -> list[str]:
        """The writes other than those of the lock and the releases."""
        return [each for each in self.writes if each != "UpdateItem"]


class Operator:
    """Runs commands about the chat `name` in `region`, with `settings` (`NWCHAT_*` variables) for all of
    them."""

    def __init__(
        self, sandbox: Sandbox, name: str, home: Path, region: str = DEFAULT_REGION, **settings: str
    ) -> None:
        self.sandbox = sandbox
        self.name = name
        self.home = home
        self.region = region
        self.environ = {
            "HOME": str(home),
            "NWCHAT_SANDBOX": "1",
            "NWCHAT_SANDBOX_DIR": str(sandbox.state.root),
            "NWCHAT_CHAT__NAME": name,
            "NWCHAT_AWS__REGION": region,
            **ONE_ADDRESS,
            **settings,
        }
        self._calls: list[str] = []
        target = sandbox.target
        keys = StaticCredentials(target.access_key_id, target.secret_access_key)
        self.aws = Aws(Access(region=region, endpoint=target.endpoint, credentials=keys), self._record_call)
        self._root: dict[str, Any] = {}

    def _record_call(self, line: str) -> None:
        self._calls.append(line.split()[1].rstrip(":"))

    # Commands ---------------------------------------------------------------------------------

    def run(self, *argv: str, **settings: str) -> Ran:
        """Runs one command line. An expected error is part of the result; others are raised."""
        app = App(environ={**self.environ, **settings})
        app.cwd = self.home
        app.aws = self.aws
        began = len(self._calls)
        out, err = io.StringIO(), io.StringIO()
        error: ChatError | None = None
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code = _invoke(app, argv)
            except Exception as raised:
                error = raised if isinstance(raised, ChatError) else explain_error(app, raised)
                if error is None:
                    raise
                code = error.exit_code
        return Ran(code, out.getvalue(), err.getvalue(), tuple(self._calls[began:]), error)

    def json(self, *argv: str, **settings: str) -> Any:
        """Runs a command with --json that must succeed. Returns its JSON."""
        ran = self.run(*argv, "--json", **settings)
        assert (ran.code, ran.error and ran.error.message) == (0, None)
        return ran.data

    def deploy(self, **settings: str) -> Any:
        """Deploys without questions; its JSON."""
        return self.json("deploy", "--yes", **settings)

    def plan(self, **settings: str) -> list[Any]:
        """The planned changes."""
        changes: list[Any] = self.json("plan", **settings)["changes"]
        return changes

    def destroy(self) -> None:
        """Destroys the chat with its data and logs."""
        self.json("destroy", "--delete-data", "--confirm", self.name)

    def own_tag_key(self, name: str) -> None:
        """As if an earlier deploy had had a tag with this key in its settings: the tool removes it."""
        DeployTable(self.root("dynamodb"), self.resource_name("deploys")).put_tag_key(name)

    # Names ------------------------------------------------------------------------------------

    def resource_name(self, thing: str) -> str:
        """`connect` → `nwchat-NAME-connect`."""
        return f"nwchat-{self.name}-{thing}"

    def role_name(self, short: str) -> str:
        """The name of a function's role: `connect` → `nwchat-NAME-connect-us-east-2`."""
        return f"{self.resource_name(short)}-{self.region}"

    def log_group(self, short: str) -> str:
        return f"/aws/lambda/{self.resource_name(short)}"

    @property
    def access_log(self) -> str:
        """The access log's group."""
        return f"/aws/apigateway/{self.resource_name('access')}"

    def arn(self, service: str, resource: str) -> str:
        region = "" if service == "iam" else self.region
        return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"

    @property
    def tags(self) -> dict[str, str]:
        return {"nwchat:chat": self.name, "nwchat:managed-by": "nwchatctl"}

    # Changes without the tool -----------------------------------------------------------------

    def root(self, service: str) -> Any:
        """A client with the emulator's root key."""
        if service not in self._root:
            self._root[service] = self.sandbox.client(service, root=True, region=self.region)
        return self._root[service]

    @property
    def api(self) -> Any:
        return self.root("apigatewayv2")

    @property
    def api_id(self) -> str:
        """The id of the chat's WebSocket API, found by its tags."""
        return self._id_of("WEBSOCKET")

    @property
    def history_id(self) -> str:
        """The id of its history API."""
        return self._id_of("HTTP")

    def _id_of(self, protocol: str) -> str:
        return next(
            str(each["ApiId"])
            for each in self._apis()
            if each["ProtocolType"] == protocol and each["Tags"].get("nwchat:chat") == self.name
        )

    def _apis(self) -> Any:
        return self.api.get_apis(MaxResults="500")["Items"]

    def route(self, key: str) -> dict[str, Any]:
        """A route as API Gateway has it."""
        return _find(self.api.get_routes(ApiId=self.api_id)["Items"], "RouteKey", key)

    def integration(self, name: str) -> str:
        """An integration's id."""
        found = self.api.get_integrations(ApiId=self.api_id)["Items"]
        return str(_find(found, "Description", f"nwchatctl:{name}")["IntegrationId"])

    @property
    def url(self) -> str:
        return self.sandbox.socket_url(self.api_id)

    @property
    def history_url(self) -> str:
        """The URL of the history API, without a trailing slash."""
        return f"{self.sandbox.endpoint}/_aws/execute-api/{self.history_id}"

    def resources(self) -> set[str]:
        """All resources with the name of this chat, as `kind name`."""
        prefix = f"nwchat-{self.name}"
        found = {
            "table": self.root("dynamodb").list_tables()["TableNames"],
            "log-group": _list_names(self.root("logs"), "describe_log_groups", "logGroups", "logGroupName"),
            "queue": [
                each.rpartition("/")[2] for each in self.root("sqs").list_queues().get("QueueUrls", [])
            ],
            "role": _list_names(self.root("iam"), "list_roles", "Roles", "RoleName"),
            "function": _list_names(self.root("lambda"), "list_functions", "Functions", "FunctionName"),
            "token-keys": _list_names(self.root("ssm"), "describe_parameters", "Parameters", "Name"),
            "api": [each["Name"] for each in self._apis() if each["ProtocolType"] == "WEBSOCKET"],
            "history-api": [each["Name"] for each in self._apis() if each["ProtocolType"] == "HTTP"],
        }
        return {
            f"{kind} {name}"
            for kind, names in found.items()
            for name in names
            if name == prefix or f"{prefix}-" in name or f"{prefix}/" in name
        }

    # Permissions of the operator --------------------------------------------------------------

    @contextmanager
    def holding(self, **documents: Mapping[str, Any]) -> Iterator[None]:
        """Within, the operator has these policies alone."""
        with policies.attached(self.root("iam"), documents):
            yield

    @contextmanager
    def allowed(self, policy: Mapping[str, Any], name: str = "nwchat-operator") -> Iterator[None]:
        """Replaces the managed policy `name` of the operator within the context."""
        iam, arn = self.root("iam"), _POLICIES + name
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        before = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        self._set_policy(arn, policy)
        try:
            yield
        finally:
            self._set_policy(arn, before)

    def _set_policy(self, arn: str, policy: Mapping[str, Any]) -> None:
        iam, text = self.root("iam"), json.dumps(policy)
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
        for each in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not each["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=each["VersionId"])


def _invoke(app: App, argv: Iterable[str]) -> int:
    commands = tree()
    with commands.make_context(PROGRAM, list(argv), obj=app) as ctx:
        return app.finish(commands.invoke(ctx))


def _find(items: Iterable[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    return next(each for each in items if each.get(key) == value)


def _list_names(client: Any, call: str, items: str, name: str) -> list[str]:
    return [each[name] for page in client.get_paginator(call).paginate() for each in page[items]]
