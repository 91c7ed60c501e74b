"""A chat as it is built in the console after AWS's tutorial, created with boto3 as root.

Its functions run on Node.js. The emulator provides `@aws-sdk/client-dynamodb` as Lambda does, but no client
for @connections: those posts are signed with Node's crypto module, as the SDK does.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.sync.client import connect

from nwchatctl.deploy.desired.policies import lambda_trust
from tests.e2e.support.chat import SECONDS, Player
from tests.e2e.support.operator import Operator

_CONNECT = """
const { DynamoDBClient, PutItemCommand } = require("@aws-sdk/client-dynamodb");
const db = new DynamoDBClient({});
exports.handler = async (event) => {
  const Item = { connectionid: { S: event.requestContext.connectionId } };
  await db.send(new PutItemCommand({ TableName: process.env.table, Item }));
  return { statusCode: 200 };
};
"""

_DISCONNECT = """
const { DynamoDBClient, DeleteItemCommand } = require("@aws-sdk/client-dynamodb");
const db = new DynamoDBClient({});
exports.handler = async (event) => {
  const Key = { connectionid: { S: event.requestContext.connectionId } };
  await db.send(new DeleteItemCommand({ TableName: process.env.table, Key }));
  return { statusCode: 200 };
};
"""

_MESSAGE = """
const { DynamoDBClient, ScanCommand } = require("@aws-sdk/client-dynamodb");
const crypto = require("crypto");
const http = require("http");
const db = new DynamoDBClient({});
const hash = (text) => crypto.createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => crypto.createHmac("sha256", key).update(text).digest();
const twice = (text) => encodeURIComponent(encodeURIComponent(text));

function post(context, id, data) {
  const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
  const base = "/_aws/execute-api/" + context.apiId + "/" + context.stage + "/";
  const now = new Date().toISOString().replace(/[-:]|\\.\\d{3}/g, "");
  const scope = now.slice(0, 8) + "/" + process.env.AWS_REGION + "/execute-api/aws4_request";
  const headers = { host: endpoint.host, "x-amz-date": now };
  if (process.env.AWS_SESSION_TOKEN) headers["x-amz-security-token"] = process.env.AWS_SESSION_TOKEN;
  const names = Object.keys(headers).sort();
  const canonical = ["POST", base + twice("@connections") + "/" + twice(id), "",
    names.map((name) => name + ":" + headers[name] + "\\n").join(""), names.join(";"), hash(data),
  ].join("\\n");
  let key = "AWS4" + process.env.AWS_SECRET_ACCESS_KEY;
  for (const part of scope.split("/")) key = hmac(key, part);
  const text = ["AWS4-HMAC-SHA256", now, scope, hash(canonical)].join("\\n");
  headers.authorization = "AWS4-HMAC-SHA256 Credential=" + process.env.AWS_ACCESS_KEY_ID + "/" + scope
    + ", SignedHeaders=" + names.join(";") + ", Signature=" + hmac(key, text).toString("hex");
  const path = base + encodeURIComponent("@connections") + "/" + encodeURIComponent(id);
  return new Promise((resolve, reject) => {
    const { hostname, port } = endpoint;
    const request = http.request({ hostname, port, method: "POST", path, headers },
      (answer) => { answer.resume(); answer.on("end", () => resolve(answer.statusCode)); });
    request.on("error", reject);
    request.end(data);
  });
}

exports.handler = async (event) => {
  const { Items } = await db.send(new ScanCommand({ TableName: process.env.table }));
  for (const row of Items) {
    const status = await post(event.requestContext, row.connectionid.S, event.body);
    if (status !== 200 && status !== 410) throw new Error("posting: " + status);
  }
  return { statusCode: 200 };
};
"""

SOURCES = {"connect": _CONNECT, "disconnect": _DISCONNECT, "on-message": _MESSAGE}
ROUTES = {
    "$connect": "connect",
    "$disconnect": "disconnect",
    "$default": "on-message",
    "onMessage": "on-message",
    "sayLoud": "on-message",
}
"""Route key → function. nwchatctl has no route like the last one."""


@dataclass
class LegacyChat:
    """The legacy chat. Its table is called `name`, its functions `name`-connect and so on."""

    operator: Operator
    name: str = "chat"
    key: str = "connectionid"
    api_id: str = ""
    deployment: str = ""
    auto_deploy: bool = False

    def make(self) -> LegacyChat:
        self._table()
        role = self._role()
        arns = {short: self._function(short, role) for short in SOURCES}
        waiter = self.operator.root("lambda").get_waiter("function_active_v2")
        for name in self.functions:
            waiter.wait(FunctionName=name, WaiterConfig={"Delay": 1})
        self._api(arns)
        return self

    def remove(self) -> None:
        """Deletes its remaining resources."""
        dynamodb, functions, iam = (self.operator.root(each) for each in ("dynamodb", "lambda", "iam"))
        for name in self.functions:
            _ignoring(
                functions.exceptions.ResourceNotFoundException, functions.delete_function, FunctionName=name
            )
        _ignoring(dynamodb.exceptions.ResourceNotFoundException, dynamodb.delete_table, TableName=self.name)
        iam.delete_role_policy(RoleName=self.role, PolicyName="all")
        iam.delete_role(RoleName=self.role)
        api = self.operator.api
        _ignoring(api.exceptions.NotFoundException, api.delete_api, ApiId=self.api_id)

    @property
    def functions(self) -> list[str]:
        return [f"{self.name}-{short}" for short in SOURCES]

    @property
    def role(self) -> str:
        return f"{self.name}-role"

    @property
    def flags(self) -> list[str]:
        """The flags of `adopt` that identify this chat."""
        connect_, disconnect, message = self.functions
        return [
            *("--api-id", self.api_id, "--table", self.name, "--connect-function", connect_),
            *("--disconnect-function", disconnect, "--message-function", message),
        ]

    @property
    def url(self) -> str:
        return self.operator.sandbox.socket_url(self.api_id)

    @property
    def rows(self) -> list[dict[str, Any]]:
        pages = self.operator.root("dynamodb").get_paginator("scan").paginate(TableName=self.name)
        return [row for page in pages for row in page["Items"]]

    @property
    def served(self) -> str:
        """The id of the deployment that the stage serves."""
        found = self.operator.api.get_stage(ApiId=self.api_id, StageName="production")
        return str(found["DeploymentId"])

    def put(self, *rows: dict[str, Any]) -> None:
        requests = [{"PutRequest": {"Item": row}} for row in rows]
        for start in range(0, len(requests), 25):
            self.operator.root("dynamodb").batch_write_item(
                RequestItems={self.name: requests[start : start + 25]}
            )

    @contextmanager
    def player(self) -> Iterator[Player]:
        with connect(self.url, proxy=None, open_timeout=SECONDS) as socket:
            yield Player(socket)

    def _table(self) -> None:
        self.operator.root("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": self.key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": self.key, "AttributeType": "S"}],
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        )

    def _role(self) -> str:
        iam = self.operator.root("iam")
        made = iam.create_role(RoleName=self.role, AssumeRolePolicyDocument=lambda_trust())
        statements = [
            {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "execute-api:ManageConnections", "Resource": "*"},
        ]
        policy = {"Version": "2012-10-17", "Statement": statements}
        text = json.dumps(policy)
        # The sandbox may take as long as AWS until a role is visible, and until Lambda can assume it.
        _repeated(
            iam.exceptions.NoSuchEntityException,
            lambda: iam.put_role_policy(RoleName=self.role, PolicyName="all", PolicyDocument=text),
        )
        return str(made["Role"]["Arn"])

    def _function(self, short: str, role: str) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.js", SOURCES[short])
        client, name = self.operator.root("lambda"), f"{self.name}-{short}"
        _repeated(
            client.exceptions.InvalidParameterValueException,
            lambda: client.create_function(
                FunctionName=name,
                Runtime="nodejs20.x",
                Role=role,
                Handler="index.handler",
                Code={"ZipFile": archive.getvalue()},
                Timeout=20,
                Environment={"Variables": {"table": self.name}},
            ),
        )
        return self.operator.arn("lambda", f"function:{name}")

    def _api(self, arns: dict[str, str]) -> None:
        api = self.operator.api
        made = api.create_api(
            Name=self.name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
        )
        self.api_id = str(made["ApiId"])
        path = "arn:aws:apigateway:us-east-2:lambda:path/2015-03-31/functions"
        targets = {
            short: api.create_integration(
                ApiId=self.api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=f"{path}/{arn}/invocations",
            )["IntegrationId"]
            for short, arn in arns.items()
        }
        for key, short in ROUTES.items():
            api.create_route(ApiId=self.api_id, RouteKey=key, Target=f"integrations/{targets[short]}")
            self.operator.root("lambda").add_permission(
                FunctionName=f"{self.name}-{short}",
                StatementId=f"console-{key.removeprefix('$')}",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=self.operator.arn("execute-api", f"{self.api_id}/*/{key}"),
            )
        if self.auto_deploy:
            api.create_stage(ApiId=self.api_id, StageName="production", AutoDeploy=True)
            self.deployment = self.served
            return
        self.deployment = str(api.create_deployment(ApiId=self.api_id)["DeploymentId"])
        api.create_stage(ApiId=self.api_id, StageName="production", DeploymentId=self.deployment)


def _repeated(error: type[Exception], call: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            call()
        except error:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _ignoring(error: type[Exception], call: Any, **wanted: Any) -> None:
    try:
        call(**wanted)
    except error:
        return
