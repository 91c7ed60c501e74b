"""botocore's model of DynamoDB, changed so that items are not parsed.

botocore converts each attribute of each item according to its shape, which takes 30 ms for 1,000 items. The
result equals the JSON as long as no attribute is binary, and this chat stores none. The change relies on how
botocore reads its models: a newer botocore that reads them in another way gets them unchanged, which is only
slower.
"""

from __future__ import annotations

import json
from typing import Any

import botocore.model
import botocore.parsers
from botocore.loaders import Loader

_ITEM = "AttributeMap"
"""The shape of an item in every response. Requests have other shapes, except for a condition (`Expected`) and
a resumed scan, which are not affected."""

_SAMPLE = {"id": {"S": "x"}}


class RawItems(Loader):
    """botocore's loader, with DynamoDB's items declared as JSON documents, which are not parsed."""

    def load_service_model(self, service_name: str, type_name: str, *args: Any, **options: Any) -> Any:
        """As botocore's loader; raises its UnknownServiceError."""
        model = super().load_service_model(service_name, type_name, *args, **options)
        if service_name == "dynamodb" and type_name == "service-2":
            return with_raw_items(model)
        return model


def with_raw_items(model: Any) -> Any:
    """The changed model; `model` itself if this botocore does not read an item back from the changed one."""
    try:
        document = {"type": "structure", "members": {}, "document": True}
        changed = {**model, "shapes": {**model["shapes"], _ITEM: document}}
        return changed if _read_item(changed) == _SAMPLE else model
    except Exception:
        return model


def _read_item(model: Any) -> Any:
    """The sample as botocore reads it from a response to GetItem."""
    service = botocore.model.ServiceModel(model, "dynamodb")
    shape: Any = service.operation_model("GetItem").output_shape
    response: Any = {"body": json.dumps({"Item": _SAMPLE}).encode(), "headers": {}, "status_code": 200}
    return botocore.parsers.create_parser("json").parse(response, shape)["Item"]
