"""Certificates and proxies that keep boto3 from AWS, as errors for the operator."""

from __future__ import annotations

import re

from botocore import exceptions as aws

from nwchatctl.errors import ChatError, Exit
from nwchatctl.net.network import CERTIFICATE_HINT
from nwchatctl.net.proxies import UnsupportedProxy

_REASON = re.compile(r"(?:certificate verify failed: )(.*?)(?: \(_ssl\.c:\d+\))?\)*$|(hostname '.*)$")


def to_network_error(error: BaseException) -> ChatError | None:
    """The ChatError for an error of a certificate or of a proxy; None for any other error. No text has the
    password of a proxy."""
    match error:
        case UnsupportedProxy():
            return ChatError(
                str(error),
                hint="`nwchatctl help environment` lists the variables that are read",
                code="proxy_unsupported",
                exit_code=Exit.CONFIG,
            )
        case aws.ProxyConnectionError():
            return ChatError(
                f"the proxy {error.kwargs.get('proxy_url')} does not lead to AWS{_proxy_reason(error)}",
                hint="check HTTPS_PROXY, its user and password, and NO_PROXY, then run the command again",
                code="proxy_failed",
            )
        case aws.SSLError() if found := _REASON.search(str(error.kwargs.get("error", ""))):
            url = error.kwargs.get("endpoint_url")
            return ChatError(
                f"the certificate of {url} is not trusted: {found[1] or found[2]}",
                hint=CERTIFICATE_HINT,
                code="certificate_untrusted",
                exit_code=Exit.CONFIG,
            )
        case _:
            return None


def _proxy_reason(error: aws.ProxyConnectionError) -> str:
    """What the proxy answered or why it was not reached, after a colon; "" if nothing is known."""
    original = getattr(error.kwargs.get("error"), "original_error", None)
    cause = original if isinstance(original, OSError) else getattr(original, "__cause__", None)
    text = (cause.strerror or str(cause)) if isinstance(cause, OSError) else ""
    return f": {text}" if text else ""
