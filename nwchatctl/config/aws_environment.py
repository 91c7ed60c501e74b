"""What the AWS_* variables say before boto3 is imported: the Region, the configuration file, its profile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def environment_region(environ: Mapping[str, str]) -> str:
    """The Region of AWS_REGION, else of AWS_DEFAULT_REGION; "" if neither has one. boto3 itself reads only
    the second (boto3#3620), and takes an empty one for a Region."""
    return environ.get("AWS_REGION", "").strip() or environ.get("AWS_DEFAULT_REGION", "").strip()


def environment_profile(environ: Mapping[str, str]) -> str:
    """The profile that boto3 uses where none is given: AWS_DEFAULT_PROFILE comes first."""
    return environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"


def config_file(environ: Mapping[str, str]) -> str:
    """The path of the AWS configuration, as the operator writes it."""
    return environ.get("AWS_CONFIG_FILE") or "~/.aws/config"


def mentions_mfa(environ: Mapping[str, str]) -> bool:
    """Whether a profile may ask for an MFA code: whether a file of the AWS configuration has `mfa_serial`."""
    files = (config_file(environ), environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    return any(b"mfa_serial" in _content(each) for each in files)


def _content(path: str) -> bytes:
    """The file's content; nothing if it is not a readable file."""
    try:
        file = Path(path).expanduser()
        return file.read_bytes() if file.is_file() else b""
    except (OSError, RuntimeError, ValueError):
        # boto3 reports it.
        return b""
