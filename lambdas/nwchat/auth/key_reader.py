"""Reads the signing keys of tokens from their SSM parameter, without boto3."""

from __future__ import annotations

from nwchat.auth.key_cache import NoKeys
from nwchat.auth.token_keys import TokenKey, read_keys
from nwchat.aws.errors import AwsError, error_code
from nwchat.aws.service_client import JsonService


class KeyReader(JsonService):
    """A client of Parameter Store that only reads keys."""

    service, target, version = "ssm", "AmazonSSM", "1.1"

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
