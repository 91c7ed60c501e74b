"""The requests that botocore makes for every operation are found in the models and parsed as they were."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.model import OperationModel
from botocore.serialize import create_serializer

from nwchatctl.sandbox import parameter_checks, request_model
from nwchatctl.sandbox.request_model import ApiCall, ApiRequest, UnreadableRequest

CORE = botocore.session.Session()


def sample(shape: Any, depth: int = 4) -> Any:
    """A value of the shape with every member."""
    match shape.type_name:
        case "structure":
            names = shape.members if depth else shape.required_members
            return {name: sample(shape.members[name], max(0, depth - 1)) for name in names}
        case "list":
            return [sample(shape.member, max(0, depth - 1))] * 2
        case "map":
            return {"key": sample(shape.value, max(0, depth - 1))}
        case "integer" | "long" | "float" | "double":
            return 7
        case "boolean":
            return True
        case "blob":
            return b"bytes"
        case "timestamp":
            return 1_700_000_000
    return "a text/with &"


def as_request(service: str, operation: OperationModel, parameters: Any) -> ApiRequest:
    """The HTTP request that botocore makes."""
    model = operation.service_model
    made = create_serializer(model.metadata["protocol"], False).serialize_to_request(parameters, operation)
    path, _, query = made["url_path"].partition("?")
    query = "&".join(filter(None, (query, urlencode(made["query_string"] or {}, doseq=True))))
    body = made["body"]
    body = urlencode(body).encode() if isinstance(body, dict) else body
    headers = {name.lower(): str(value) for name, value in made["headers"].items()}
    return ApiRequest(
        made["method"], path, query, headers, body.encode() if isinstance(body, str) else body, service
    )


def scope_of(service: str) -> str:
    return "apigateway" if service == "apigatewayv2" else service


@pytest.mark.parametrize("service", request_model.SERVICES)
def test_every_operation_is_recognized_with_all_its_parameters(service: str) -> None:
    model = CORE.get_service_model(service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.has_event_stream_input:
            continue
        parameters = sample(operation.input_shape) if operation.input_shape else {}
        request = as_request(scope_of(service), operation, parameters)
        call = request_model.call_of(request)
        assert call is not None and (call.service, call.operation) == (service, name)
        parsed = request_model.model(service).parameters(call, request)
        found = parameter_checks.violations(service, call.shape, parsed)
        assert not [each for each in found if "must not be null" in each], name


def test_a_missing_parameter_is_found_in_every_protocol() -> None:
    for service, name in (
        ("dynamodb", "PutItem"),
        ("lambda", "AddPermission"),
        ("iam", "CreateRole"),
        ("route53", "ChangeResourceRecordSets"),
    ):
        operation = CORE.get_service_model(service).operation_model(name)
        shape: Any = operation.input_shape
        parameters, missing = sample(shape), shape.required_members[-1]
        del parameters[missing]
        request = as_request(service, operation, parameters)
        call = request_model.call_of(request)
        assert call is not None
        found = parameter_checks.violations(
            service, call.shape, request_model.model(service).parameters(call, request)
        )
        shown = f"{missing[:1].lower()}{missing[1:]}"
        assert any(f"Value null at '{shown}' failed" in each for each in found), (service, found)


def gateway(method: str, path: str, query: str = "") -> ApiCall | None:
    return request_model.call_of(ApiRequest(method, path, query, {}, b"", "apigateway"))


def test_paths_are_divided_before_they_are_decoded() -> None:
    call = gateway("DELETE", "/v2/apis/a1/stages/production/routesettings/GET%20%2Fmessages")
    assert call is not None and call.operation == "DeleteRouteSettings"
    assert call.labels == {"apiId": "a1", "stageName": "production", "routeKey": "GET /messages"}


def test_fixed_segments_win_over_parameters() -> None:
    base = "/2019-09-30/functions/f/provisioned-concurrency"
    for query, operation in (
        ("List=ALL", "ListProvisionedConcurrencyConfigs"),
        ("Qualifier=1", "GetProvisionedConcurrencyConfig"),
    ):
        call = request_model.call_of(ApiRequest("GET", base, query, {}, b"", "lambda"))
        assert call is not None and call.operation == operation


def test_what_no_model_has_is_no_call() -> None:
    assert gateway("GET", "/v2/nothing") is None
    assert request_model.call_of(ApiRequest("POST", "/", "", {}, b"", "s3")) is None
    headers = {"x-amz-target": "DynamoDB_20120810.Nothing"}
    assert request_model.call_of(ApiRequest("POST", "/", "", headers, b"{}", "dynamodb")) is None
    assert request_model.call_of(ApiRequest("POST", "/", "", {}, b"Version=1", "iam")) is None


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_unreadable(body: bytes) -> None:
    request = ApiRequest("POST", "/", "", {"x-amz-target": "DynamoDB_20120810.PutItem"}, body, "dynamodb")
    call = request_model.call_of(request)
    assert call is not None
    with pytest.raises(UnreadableRequest):
        request_model.model("dynamodb").parameters(call, request)


@pytest.mark.parametrize("form", ["Tags.member.x.Key=a", "Tags=a&Tags.member.1.Key=a"])
def test_a_form_that_is_no_list_is_unreadable(form: str) -> None:
    request = ApiRequest("POST", "/", "", {}, f"Action=CreateRole&{form}".encode(), "iam")
    call = request_model.call_of(request)
    assert call is not None
    with pytest.raises(UnreadableRequest):
        request_model.model("iam").parameters(call, request)


def test_parameters_come_from_path_query_and_body() -> None:
    body = json.dumps({"Action": "lambda:InvokeFunction"}).encode()
    request = ApiRequest("POST", "/2015-03-31/functions/f%3A1/policy", "Qualifier=live", {}, body, "lambda")
    call = request_model.call_of(request)
    assert call is not None
    assert request_model.model("lambda").parameters(call, request) == {
        "FunctionName": "f:1",
        "Qualifier": "live",
        "Action": "lambda:InvokeFunction",
    }
