"""What every call to AWS has to pass before the emulator sees it: signature, rates, parameters."""

from __future__ import annotations

from urllib.parse import quote

from nwchatctl.sandbox import request_model
from nwchatctl.sandbox.middleware import Message
from nwchatctl.sandbox.patches import parameter_constraints
from nwchatctl.sandbox.patches.request_rates import RequestRates
from nwchatctl.sandbox.request_filter import Headers, Response, SignatureCheck
from nwchatctl.sandbox.request_model import ApiRequest


class CallChecks:
    """Checks the signature first, as AWS does: an unsigned call learns nothing else."""

    def __init__(self, signatures: SignatureCheck, rates: RequestRates) -> None:
        self._signatures = signatures
        self._rates = rates

    def is_known(self, headers: Headers) -> bool:
        """Whether the request names an access key that exists."""
        return self._signatures.is_known(headers)

    def refusal(self, scope: Message, body: bytes) -> Response | None:
        """The response to a call that AWS refuses whatever the resource's state; None if there is none."""
        if refused := self._signatures.refusal(scope, body):
            return refused
        request, region = _request(scope, body)
        call = request_model.call_of(request)
        if call is None:
            return None
        return self._rates.refusal(call, region) or parameter_constraints.refusal(request, call)


def _request(scope: Message, body: bytes) -> tuple[ApiRequest, str]:
    """The request, and the Region that its signature is for."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    # Credential=KEY/date/Region/service/aws4_request
    credential = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    region, service = (credential[-3], credential[-2]) if len(credential) > 3 else ("", "")
    query = scope.get("query_string", b"").decode("latin-1")
    return ApiRequest(scope["method"], path.decode("latin-1"), query, headers, body, service), region
