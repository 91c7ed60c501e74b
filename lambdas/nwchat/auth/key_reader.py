"""Reads the signing keys of tokens from their SSM parameter, without boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nwchat.auth.key_cache import NoKeys
from nwchat.auth.token_keys import TokenKey, read_keys
from nwchat.aws.endpoints import AwsEndpoint
from nwchat.aws.errors import AwsError, error_code
from nwchat.aws.service_client import CallPolicy, JsonService
from nwchat.aws.signing import Credentials

if TYPE_CHECKING:
    import ssl


class KeyReader(JsonService):
    """A client of Parameter Store that only reads keys."""

    def __init__(
        self,
        endpoint: AwsEndpoint,
        credentials: Callable[[], Credentials],
        tls: Callable[[], ssl.SSLContext],
        policy: CallPolicy = CallPolicy(),
    ) -> None:
        super().__init__("ssm", "AmazonSSM", "1.1", endpoint, credentials, tls, policy)

    def keys_in(self, name: str) -> tuple[TokenKey, ...]:
        """The keys in the parameter `name`, newest first.

        Raises NoKeys when it does not exist or has none, and the errors of `JsonService.call`.
        """
        try:
            answer = self.call("GetParameter", {"Name": name, "WithDecryption": True})
            return read_keys(answer["Parameter"]["Value"])
        except AwsError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            raise NoKeys from None
        except ValueError:
            # `from None`: the context of the error would quote the secret.
            raise NoKeys from None
