"""The one decision on certificates, proxies and kinds of endpoints."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest

from nwchatctl.errors import ChatError
from nwchatctl.net.network import DIRECT, Network, check_certificates, decide, is_untrusted

ALL = {"AWS_CA_BUNDLE": "/a", "REQUESTS_CA_BUNDLE": "/r", "SSL_CERT_FILE": "/s"}


def without(*names: str) -> dict[str, str]:
    return {key: value for key, value in ALL.items() if key not in names}


@pytest.mark.parametrize(
    ("environ", "profile", "file", "origin"),
    [
        (ALL, {"ca_bundle": "/p"}, "/a", "AWS_CA_BUNDLE"),
        (without("AWS_CA_BUNDLE"), {"ca_bundle": "/p"}, "/p", "ca_bundle of the profile work"),
        (without("AWS_CA_BUNDLE"), {}, "/r", "REQUESTS_CA_BUNDLE"),
        ({"SSL_CERT_FILE": "/s"}, {}, "/s", "SSL_CERT_FILE"),
        ({}, {}, "/default", ""),
        # botocore would verify nothing, or refuse.
        ({"AWS_CA_BUNDLE": "", "REQUESTS_CA_BUNDLE": " "}, {"ca_bundle": ""}, "/default", ""),
    ],
)
def test_which_certificates_are_trusted(
    environ: Mapping[str, str], profile: Mapping[str, object], file: str, origin: str
) -> None:
    found = decide(environ, profile, "work", "/default")
    assert (found.ca_file, found.ca_origin) == (file, origin)


@pytest.mark.parametrize(
    ("environ", "profile", "fips", "dualstack"),
    [
        ({}, {}, False, False),
        ({"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "True"}, {}, True, True),
        ({}, {"use_fips_endpoint": "true", "use_dualstack_endpoint": "true"}, True, True),
        ({"AWS_USE_FIPS_ENDPOINT": "false"}, {"use_fips_endpoint": "true"}, False, False),
        ({"AWS_USE_FIPS_ENDPOINT": ""}, {"use_fips_endpoint": "1"}, False, False),
    ],
)
def test_kinds_of_endpoints(
    environ: Mapping[str, str], profile: Mapping[str, object], fips: bool, dualstack: bool
) -> None:
    found = decide(environ, profile, "work", "/default")
    assert (found.fips, found.dualstack) == (fips, dualstack)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-eusc", "aws-iso"])
def test_fips_is_refused_where_apis_have_no_such_address(partition: str) -> None:
    with pytest.raises(ChatError) as caught:
        Network(fips=True).check_fips(partition)
    assert (caught.value.code, caught.value.exit_code) == ("fips_unavailable", 3)
    assert "AWS_USE_FIPS_ENDPOINT" in caught.value.message
    Network(dualstack=True).check_fips(partition)


def test_fips_is_accepted_in_govcloud() -> None:
    Network(fips=True).check_fips("aws-us-gov")


def test_files_that_hold_no_certificates(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    for file, reason in (
        (empty, "it has no certificate"),
        (tmp_path, "Is a directory"),
        (tmp_path / "missing.pem", "No such file or directory"),
    ):
        with pytest.raises(ChatError) as caught:
            check_certificates(Network(str(file), "AWS_CA_BUNDLE"))
        assert caught.value.message == (
            f"the certificates in {file} (AWS_CA_BUNDLE) cannot be read: {reason}"
        )
        assert (caught.value.code, caught.value.exit_code) == ("ca_bundle", 3)
    check_certificates(Network("/missing"))
    check_certificates(DIRECT)


def test_certificates_that_are_refused_for_their_issuer() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    assert not is_untrusted(error)
    assert not is_untrusted(ssl.SSLError(1, "x"))
    for code, untrusted in ((20, True), (18, True), (10, False), (62, False)):
        error.verify_code = code
        assert is_untrusted(error) is untrusted
