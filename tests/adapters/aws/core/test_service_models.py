"""Which of botocore's services can be had: ours, and those that credentials come from."""

from __future__ import annotations

import inspect
import re

import botocore.credentials
import botocore.tokens
import botocore.utils
import pytest
from botocore.exceptions import UnknownServiceError

from nwchatctl.aws.core.service_models import SERVICES, ServiceModels


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_model(service: str) -> None:
    assert ServiceModels().load_service_model(service, "service-2")["operations"]


def test_other_services_are_unknown() -> None:
    with pytest.raises(UnknownServiceError):
        ServiceModels().load_service_model("s3", "service-2")


def test_services_for_credentials_are_included() -> None:
    """Read from its source: the names with which it makes clients."""
    sources = "".join(inspect.getsource(each) for each in (botocore.credentials, botocore.tokens))
    made = set(re.findall(r"""client(?:_creator)?\(\s*['"]([a-z0-9-]+)['"]""", sources))
    assert {"sso", "sts"} <= made
    assert made <= set(SERVICES)
