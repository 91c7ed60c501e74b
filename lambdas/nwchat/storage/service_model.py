"""botocore's description of DynamoDB, with items that stay as they came.

botocore makes objects out of each attribute of each item by walking their description, 30 ms for 1,000 items;
what comes out is what the JSON was, as long as no attribute is binary, and ours never are.
"""

from __future__ import annotations

from typing import Any

from botocore.loaders import Loader

_ITEM = "AttributeMap"
"""The shape of an item in every answer; requests have shapes of their own, but for a condition's (`Expected`)
and a resumed scan's, which are left as they are."""


class RawItems(Loader):
    """botocore's loader, with DynamoDB's items described as documents: JSON that is nobody's business."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """As botocore's; raises its UnknownServiceError."""
        model = super().load_service_model(service_name, type_name, api_version)
        if service_name == "dynamodb" and type_name == "service-2":
            model["shapes"][_ITEM] = {"type": "structure", "members": {}, "document": True}
        return model
