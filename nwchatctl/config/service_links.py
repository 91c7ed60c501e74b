"""Variables of Kubernetes and Docker that look like settings.

For each service of a namespace, Kubernetes sets variables in every container (Kubernetes documentation,
"Service", environment variables; kubernetes#35189). For one called `nwchat` these are
NWCHAT_SERVICE_HOST=10.0.0.11, NWCHAT_SERVICE_PORT=8080, NWCHAT_SERVICE_PORT_HTTP=8080,
NWCHAT_PORT=tcp://10.0.0.11:8080, NWCHAT_PORT_8080_TCP=tcp://10.0.0.11:8080 and NWCHAT_PORT_8080_TCP_PROTO,
_PORT and _ADDR; for `nwchat-web` the same with NWCHAT_WEB_. No setting has such a name.
"""

from __future__ import annotations

import re

_PREFIX = r"NWCHAT_(?:[A-Z0-9_]+_)?"
_URL = r"(?:tcp|udp|sctp)://\S+"
_NUMBER = r"[0-9]{1,5}"
_HOST = r"[0-9A-Za-z.:\-]+|None"
_FORMS = tuple(
    (re.compile(_PREFIX + name), re.compile(value))
    for name, value in (
        (r"PORT", _URL),
        (r"PORT_[0-9]+_(?:TCP|UDP|SCTP)", _URL),
        (r"PORT_[0-9]+_(?:TCP|UDP|SCTP)_PROTO", r"tcp|udp|sctp"),
        (r"PORT_[0-9]+_(?:TCP|UDP|SCTP)_PORT", _NUMBER),
        (r"PORT_[0-9]+_(?:TCP|UDP|SCTP)_ADDR", _HOST),
        (r"SERVICE_HOST", _HOST),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", _NUMBER),
    )
)


def is_service_link(name: str, value: str) -> bool:
    """Whether name and value of a NWCHAT_* variable have a form of these."""
    return any(form.fullmatch(name) and text.fullmatch(value) for form, text in _FORMS)
