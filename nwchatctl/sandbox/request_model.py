"""Requests to AWS, parsed by botocore's service models: which operation it is, and its parameters.

botocore checks types and minimum lengths in the client; a service checks its whole model, also for clients
that are not botocore.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

# The callers have signed, and expat limits what entities expand to.
from xml.etree import ElementTree

# The only import of botocore in the sandbox: its models are what AWS checks requests against.
from botocore.loaders import Loader

Shape = Mapping[str, Any]
Tree = dict[str, Any]

TARGETS = {
    "CertificateManager": "acm",
    "DynamoDB_20120810": "dynamodb",
    "Logs_20140328": "logs",
    "AmazonSQS": "sqs",
    "AmazonSSM": "ssm",
    "ResourceGroupsTaggingAPI_20170126": "resourcegroupstaggingapi",
}
"""The services of the JSON protocol, by the prefix of X-Amz-Target."""

SIGNED = {"iam": "iam", "sts": "sts", "lambda": "lambda", "route53": "route53"}
"""The other services, by the name in the signature. `apigateway` stands for two: see `service_of`."""

SERVICES = (*TARGETS.values(), *SIGNED.values(), "apigateway", "apigatewayv2")


class UnreadableRequest(Exception):
    """The body is not what the protocol or the type of a parameter requires."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """An HTTP request to AWS. `path` is percent-encoded, header names are in lower case, `scope` is the
    service in the credential scope of the signature."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    scope: str


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request's operation. `shape` is the name of its input shape, "" for none."""

    service: str
    operation: str
    shape: str
    labels: Mapping[str, str]
    """The parameters in the path, by the names of the URI template."""


def service_of(request: ApiRequest) -> str | None:
    """botocore's name of the service; None for a service that the sandbox has no model of."""
    if target := request.headers.get("x-amz-target"):
        return TARGETS.get(target.partition(".")[0])
    if request.scope == "apigateway":
        return "apigatewayv2" if request.path.startswith("/v2/") else "apigateway"
    return SIGNED.get(request.scope)


def call_of(request: ApiRequest) -> ApiCall | None:
    """The operation that a request calls; None if the models have none such."""
    service = service_of(request)
    return None if service is None else model(service).call(request)


@cache
def model(service: str) -> ServiceModel:
    """The service's model, loaded when it is first used."""
    return ServiceModel(service, Loader().load_service_model(service, "service-2"))


class ServiceModel:
    """One service of SERVICES."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        self.name = name
        self.shapes: Mapping[str, Shape] = data["shapes"]
        self.protocol: str = data["metadata"]["protocol"]
        self._operations: Mapping[str, Any] = data["operations"]
        self._templates = _templates(self._operations) if self.protocol.startswith("rest") else {}

    def call(self, request: ApiRequest) -> ApiCall | None:
        if self.protocol.startswith("rest"):
            return self._routed(request)
        if self.protocol == "query":
            form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
            name = form.get("Action", [""])[0]
        else:
            name = request.headers["x-amz-target"].partition(".")[2]
        return self._named(name, {}) if name in self._operations else None

    def parameters(self, call: ApiCall, request: ApiRequest) -> Tree:
        """The call's parameters by their names on the wire. Raises UnreadableRequest."""
        shape = self.shapes.get(call.shape)
        if shape is None:
            return {}
        match self.protocol:
            case "json":
                return _json_object(request.body)
            case "query":
                return self._from_form(shape, request.body)
        return self._from_rest(shape, call, request)

    def _routed(self, request: ApiRequest) -> ApiCall | None:
        segments = request.path.strip("/").split("/")
        given = parse_qs(request.query, keep_blank_values=True)
        for template in self._templates.get((request.method, len(segments)), ()):
            labels = template.match(segments, given)
            if labels is not None:
                return self._named(template.operation, labels)
        return None

    def _named(self, operation: str, labels: Mapping[str, str]) -> ApiCall:
        shape = self._operations[operation].get("input", {}).get("shape", "")
        return ApiCall(self.name, operation, shape, labels)

    def _from_form(self, shape: Shape, body: bytes) -> Tree:
        tree: Tree = {}
        for name, values in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items():
            _put(tree, name.split("."), values[0])
        found: Tree = self._unflatten(shape, tree)
        return found

    def _unflatten(self, shape: Shape, tree: Any) -> Any:
        """A value of a form, whose lists are `Tags.member.1.Key` and whose maps are `Tags.entry.1.key`."""
        match shape["type"], tree:
            case "structure", dict():
                return {
                    wire: self._unflatten(self.shapes[member["shape"]], tree[wire])
                    for _, wire, member in members(shape)
                    if wire in tree
                }
            case "list", dict():
                inner = self.shapes[shape["member"]["shape"]]
                items = tree if shape.get("flattened") else tree.get("member", {})
                return [self._unflatten(inner, items[each]) for each in sorted(items, key=_number)]
            case "map", dict():
                inner = self.shapes[shape["value"]["shape"]]
                entries = (each for each in tree.get("entry", {}).values() if isinstance(each, dict))
                return {each.get("key", ""): self._unflatten(inner, each.get("value")) for each in entries}
        # "" stands for an empty list.
        return [] if shape["type"] == "list" else tree

    def _from_rest(self, shape: Shape, call: ApiCall, request: ApiRequest) -> Tree:
        found: Tree = {}
        query = parse_qs(request.query, keep_blank_values=True)
        in_body = False
        for _, wire, member in members(shape):
            match member.get("location"):
                case "uri" if wire in call.labels:
                    found[wire] = call.labels[wire]
                case "querystring" if wire in query:
                    is_list = self.shapes[member["shape"]]["type"] == "list"
                    found[wire] = query[wire] if is_list else query[wire][0]
                case "header" if wire.lower() in request.headers:
                    found[wire] = request.headers[wire.lower()]
                case None:
                    in_body = True
        return {**(self._from_body(shape, request.body) if in_body and request.body else {}), **found}

    def _from_body(self, shape: Shape, body: bytes) -> Tree:
        payload: str = shape.get("payload", "")
        inner = self.shapes[shape["members"][payload]["shape"]] if payload else shape
        if inner["type"] in ("blob", "string"):
            return {payload: body if inner["type"] == "blob" else body.decode("utf-8", "replace")}
        value = self._from_xml(inner, _xml(body)) if self.protocol == "rest-xml" else _json_object(body)
        return {shape["members"][payload].get("locationName", payload): value} if payload else value

    def _from_xml(self, shape: Shape, element: ElementTree.Element) -> Any:
        match shape["type"]:
            case "structure":
                return {
                    wire: self._member_from_xml(member, element, wire)
                    for _, wire, member in members(shape)
                    if "location" not in member and element.find(f"{{*}}{wire}") is not None
                }
            case "list":
                inner = self.shapes[shape["member"]["shape"]]
                return [self._from_xml(inner, each) for each in element]
        return element.text or ""

    def _member_from_xml(self, member: Shape, parent: ElementTree.Element, wire: str) -> Any:
        shape = self.shapes[member["shape"]]
        if shape["type"] == "list" and (shape.get("flattened") or member.get("flattened")):
            inner = self.shapes[shape["member"]["shape"]]
            return [self._from_xml(inner, each) for each in parent.findall(f"{{*}}{wire}")]
        found = parent.find(f"{{*}}{wire}")
        return None if found is None else self._from_xml(shape, found)


def members(shape: Shape) -> Iterator[tuple[str, str, Shape]]:
    """A structure's members: the name in the model, the name on the wire, and the member."""
    for name, member in shape["members"].items():
        yield name, member.get("locationName", name), member


@dataclass(frozen=True, slots=True)
class _Template:
    """One operation's URI: its segments, `{name}` for a parameter, and the query that it requires."""

    operation: str
    segments: tuple[str, ...]
    query: Mapping[str, list[str]]

    def match(self, segments: list[str], query: Mapping[str, list[str]]) -> Mapping[str, str] | None:
        """The parameters in a path of as many segments; None if it is another operation's."""
        labels = {}
        for wanted, given in zip(self.segments, segments, strict=True):
            if wanted.startswith("{"):
                labels[wanted[1:-1]] = unquote(given)
            elif wanted != given:
                return None
        return labels if all(query.get(name) == value for name, value in self.query.items()) else None

    def order(self) -> tuple[int, int]:
        """Templates with more fixed parts come first: `/functions/x/policy` before `/functions/x/{y}`."""
        return sum(each.startswith("{") for each in self.segments), -len(self.query)


def _templates(operations: Mapping[str, Any]) -> dict[tuple[str, int], list[_Template]]:
    found = defaultdict(list)
    for name, operation in operations.items():
        path, _, query = operation["http"]["requestUri"].partition("?")
        segments = tuple(path.strip("/").split("/"))
        found[operation["http"]["method"], len(segments)].append(_Template(name, segments, parse_qs(query)))
    return {key: sorted(each, key=_Template.order) for key, each in found.items()}


def _json_object(body: bytes) -> Tree:
    try:
        value = json.loads(body or b"{}")
    except ValueError as error:
        raise UnreadableRequest from error
    if not isinstance(value, dict):
        raise UnreadableRequest
    return value


def _xml(body: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - see the import
    except ElementTree.ParseError as error:
        raise UnreadableRequest from error


def _put(tree: Tree, path: list[str], value: str) -> None:
    for each in path[:-1]:
        inner = tree.setdefault(each, {})
        if not isinstance(inner, dict):
            raise UnreadableRequest
        tree = inner
    tree[path[-1]] = value


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UnreadableRequest from error
