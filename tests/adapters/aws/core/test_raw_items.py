"""Answers of DynamoDB, as botocore reads them by its own description and by ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from nwchatctl.aws.core.raw_items import RawItems, with_raw_items
from nwchatctl.aws.core.service_models import ServiceModels

texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.integers().map(str) | st.floats(allow_nan=False, allow_infinity=False).map(str)
attributes: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.builds(lambda text: {"S": text}, texts)
    | st.builds(lambda number: {"N": number}, numbers)
    | st.builds(lambda true: {"BOOL": true}, st.booleans())
    | st.just({"NULL": True})
    | st.builds(lambda some: {"SS": some}, st.lists(texts, min_size=1, max_size=3))
    | st.builds(lambda some: {"NS": some}, st.lists(numbers, min_size=1, max_size=3)),
    lambda inner: (
        st.builds(lambda some: {"L": some}, st.lists(inner, max_size=3))
        | st.builds(lambda some: {"M": some}, st.dictionaries(texts, inner, max_size=3))
    ),
    max_leaves=6,
)
items = st.dictionaries(texts, attributes, max_size=4)

OPERATIONS: dict[str, Callable[[list[dict[str, Any]]], dict[str, Any]]] = {
    "Scan": lambda some: {"Items": some, "Count": len(some)},
    "Query": lambda some: {"Items": some, "LastEvaluatedKey": {"id": {"S": "é"}}},
    "GetItem": lambda some: {"Item": some[0]} if some else {},
    "TransactGetItems": lambda some: {"Responses": [{"Item": each} for each in some]},
    "BatchGetItem": lambda some: {"Responses": {"table": some}},
    "UpdateItem": lambda some: {"Attributes": some[0]} if some else {},
}


def parsed(loader: Loader, operation: str, answer: dict[str, Any]) -> Any:
    model: Any = loader.load_service_model("dynamodb", "service-2")
    shape: Any = ServiceModel(model, "dynamodb").operation_model(operation).output_shape
    response = {"body": json.dumps(answer).encode(), "headers": {}, "status_code": 200}
    found = create_parser("json").parse(response, shape)
    found.pop("ResponseMetadata")
    return found


LOADERS: dict[str, Loader] = {"functions": RawItems(), "tool": ServiceModels()}
BOTOCORE = Loader()


@settings(deadline=None)
@given(some=st.lists(items, max_size=3), operation=st.sampled_from(sorted(OPERATIONS)))
@pytest.mark.parametrize("ours", sorted(LOADERS))
def test_parsed_items_equal_those_of_botocore(ours: str, some: list[dict[str, Any]], operation: str) -> None:
    answer = OPERATIONS[operation](some)
    assert parsed(LOADERS[ours], operation, answer) == parsed(BOTOCORE, operation, answer)


def test_other_services_use_model_of_botocore() -> None:
    assert RawItems().load_service_model("sts", "service-2") == BOTOCORE.load_service_model(
        "sts", "service-2"
    )
    with pytest.raises(UnknownServiceError):
        RawItems().load_service_model("nothing", "service-2")


def model_of_dynamodb() -> Any:
    return BOTOCORE.load_service_model("dynamodb", "service-2")


def raw_shape(model: Any) -> bool:
    return bool(model["shapes"]["AttributeMap"].get("document"))


def test_this_botocore_reads_raw_items() -> None:
    before = model_of_dynamodb()
    assert raw_shape(with_raw_items(before))
    # botocore caches the model that it has loaded.
    assert not raw_shape(before)


class FutureParser:
    """A parser that does not know documents: items of a structure without members are empty."""

    def parse(self, response: Any, shape: Any) -> Any:
        return {"Item": {}}


def unknown_protocol(name: str) -> Any:
    raise KeyError(name)


@pytest.mark.parametrize("create", [lambda name: FutureParser(), unknown_protocol], ids=["other", "gone"])
def test_future_botocore_that_reads_models_differently_gets_its_own(
    monkeypatch: pytest.MonkeyPatch, create: Callable[[str], Any]
) -> None:
    monkeypatch.setattr("botocore.parsers.create_parser", create)
    model = model_of_dynamodb()
    assert with_raw_items(model) is model
    assert RawItems().load_service_model("dynamodb", "service-2") == model


@pytest.mark.parametrize(
    "change",
    [
        lambda model: {each: part for each, part in model.items() if each != "shapes"},
        lambda model: {**model, "operations": {}},
        lambda model: {**model, "shapes": {}},
    ],
    ids=["no-shapes", "no-operations", "other-shapes"],
)
def test_future_model_of_another_structure_is_unchanged(change: Callable[[Any], Any]) -> None:
    model = change(model_of_dynamodb())
    assert with_raw_items(model) is model


def test_future_loader_with_more_parameters_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Loader.load_service_model

    def load_from(self: Loader, service_name: str, type_name: str, *, variant: str, **rest: Any) -> Any:
        assert variant == "new"
        return load(self, service_name, type_name, **rest)

    monkeypatch.setattr(Loader, "load_service_model", load_from)
    future: Any = RawItems()
    assert raw_shape(future.load_service_model("dynamodb", "service-2", variant="new"))
