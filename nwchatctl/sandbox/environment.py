"""The environment of the server and of the Lambda functions that it runs, separate from the user's."""

from __future__ import annotations

from collections.abc import Mapping

from nwchatctl.sandbox.state import SandboxPaths

# The user's variables that are passed on. An allow-list: AWS_*, proxies, PYTHONPATH, ministack's own
# variables and exported secrets would otherwise reach the emulator and its functions.
_KEPT_VARIABLES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"}
)

_SERVICES = (
    "acm",
    "apigateway",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "iam",
    "lambda",
    "logs",
    "monitoring",
    "route53",
    "s3",
    "scheduler",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "tagging",
)


def server_environment(
    user: Mapping[str, str], *, paths: SandboxPaths, port: int, region: str
) -> dict[str, str]:
    """`user`'s environment reduced to what a server needs, plus ministack's settings."""
    return {
        **{name: value for name, value in user.items() if name in _KEPT_VARIABLES},
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        # No container is used: the address of a daemon that does not exist.
        "DOCKER_HOST": f"unix://{paths.scratch / 'no-docker.sock'}",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        # Strict mode runs functions in Docker or not at all.
        "LAMBDA_STRICT": "0",
        # Lambda's own locale and time zone.
        "LANG": "en_US.UTF-8",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_REGION": region,
        "PERSIST_STATE": "1",
        "PYTHONUTF8": "1",
        "S3_DATA_DIR": str(paths.data / "s3"),
        "S3_PERSIST": "1",
        "SERVICES": ",".join(_SERVICES),
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(paths.data),
        "TMPDIR": str(paths.scratch),
        "TZ": "UTC",
    }
