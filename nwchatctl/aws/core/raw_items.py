"""botocore's model of DynamoDB, changed so that items are not parsed.

botocore converts each attribute of each item according to its shape, which takes 30 ms for 1,000 items. The
result equals the JSON as long as no attribute is binary, and this chat stores none.
"""

from __future__ import annotations

from typing import Any

from botocore.loaders import Loader

_ITEM = "AttributeMap"
"""The shape of an item in every response. Requests have other shapes, except for a condition (`Expected`) and
a resumed scan, which are not affected."""


class RawItems(Loader):
    """botocore's loader, with DynamoDB's items declared as JSON documents, which are not parsed."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """As botocore's loader; raises its UnknownServiceError."""
        model = super().load_service_model(service_name, type_name, api_version)
        if service_name == "dynamodb" and type_name == "service-2":
            model["shapes"][_ITEM] = {"type": "structure", "members": {}, "document": True}
        return model
