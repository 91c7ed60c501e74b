"""The history API, an HTTP API with its integration, routes and stage, as API Gateway v2 spells them.

It is one resource of the model and several of AWS's. A change reads what exists and then updates part by
part, so that it can be interrupted after any part and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.apigateway.common import delete_if_exists, list_apis, pages, retag
from nwchatctl.aws.apigateway.http_api_parts import (
    INTEGRATION_DESCRIPTION,
    HttpApiParts,
    access_log,
    api_settings,
    cors,
    resource,
    stage_settings,
    variables,
)
from nwchatctl.aws.core.parallel import StartRead, run_inline
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.aws.core.tags import from_mapping
from nwchatctl.deploy.duplicate_apis import own_api_id
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.string_map import StringMap, has_tags
from nwchatctl.deploy.names import CHAT_TAG

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client


class HttpApi:
    """Reads and changes the history API. `id` and `duplicates` are set by reads and creates.

    `make_no_retry_client` returns a client that sends each call once, for creates that AWS would repeat.
    """

    def __init__(
        self,
        client: ApiGatewayV2Client,
        arn_prefix: str,
        make_no_retry_client: Callable[[], ApiGatewayV2Client],
    ) -> None:
        self._client = client
        self._make_no_retry_client = make_no_retry_client
        # `arn:aws:apigateway:us-east-2::/apis/`
        self._arn_prefix = arn_prefix
        self.id = ""
        self.duplicates: set[str] = set()
        """Ids of the chat's empty, unused HTTP APIs; such an API's name is its id."""

    def find(self, name: str, tags: Mapping[str, str]) -> str:
        """The id of the HTTP API with `tags`; "" if there is none. Raises ChatError `api_ambiguous`."""
        self._find_own(name, tags)
        return self.id

    def _find_own(self, name: str, tags: Mapping[str, str]) -> dict[str, Any]:
        found = self._tagged(tags)
        display_names = {api_id: each["Name"] for api_id, each in found.items()}
        self.id = own_api_id(display_names, name, self._is_empty, tags.get(CHAT_TAG, ""))
        self.duplicates = found.keys() - {self.id}
        return found

    def _tagged(self, tags: Mapping[str, str]) -> dict[str, Any]:
        """The HTTP APIs with `tags` by their ids, oldest first."""
        return {
            each["ApiId"]: each
            for each in list_apis(self._client)
            if each.get("ProtocolType") == "HTTP" and has_tags(from_mapping(each.get("Tags", {})), tags)
        }

    def read(self, name: str, tags: Mapping[str, str], start: StartRead = run_inline) -> list[HistoryApi]:
        """The chat's own API, named `name`, and its empty duplicates. Raises the errors of `find`."""
        found = self._find_own(name, tags)
        part_reads = {api_id: start(self._read_parts, api_id, start) for api_id in found}
        return [
            resource(name if api_id == self.id else api_id, found[api_id], parts())
            for api_id, parts in part_reads.items()
        ]

    def _read_parts(self, api_id: str, start: StartRead = run_inline) -> HttpApiParts:
        return HttpApiParts(*(read() for read in [start(list, each) for each in self._list_parts(api_id)]))

    def _is_empty(self, api_id: str) -> bool:
        return not any(next(each, None) for each in self._list_parts(api_id))

    def _list_parts(self, api_id: str) -> list[Iterator[Any]]:
        client = self._client
        reads = (client.get_integrations, client.get_routes, client.get_stages)
        return [pages(each, ApiId=api_id) for each in reads]

    def create(self, api: HistoryApi) -> None:
        """Creates the API with its tags and then its parts: a later deploy finds it by the tags if this one
        is killed."""
        wanted: Any = {
            "Name": api.display_name,
            "ProtocolType": "HTTP",
            "Description": api.description,
            "DisableExecuteApiEndpoint": not api.default_endpoint,
            "Tags": dict(api.tags),
            **({"CorsConfiguration": cors(api)} if api.cors_origins else {}),
        }
        self.id, created = create_once(
            lambda: self._make_no_retry_client().create_api(**wanted)["ApiId"],
            lambda: next(iter(self._tagged(wanted["Tags"])), None),
        )
        if created:
            self._put_parts(api, HttpApiParts([], [], []))
        else:
            self.update(api)

    def update(self, api: HistoryApi) -> None:
        """Updates the API and its parts to `api`; its id, and so its address, stays."""
        found = with_retries(self._client.get_api, ApiId=self.id)
        parts = self._read_parts(self.id)
        have = resource(api.name, found, parts)
        if have.cors_origins and not api.cors_origins:
            self._delete_if_exists(self._client.delete_cors_configuration)
        if api_settings(have) != api_settings(api):
            wanted: Any = {
                "Name": api.display_name,
                "Description": api.description,
                "DisableExecuteApiEndpoint": not api.default_endpoint,
                **({"CorsConfiguration": cors(api, have)} if api.cors_origins else {}),
            }
            with_retries(self._client.update_api, ApiId=self.id, **wanted)
        self._retag(self.id, have.tags, api.tags)
        self._put_parts(api, parts)

    def delete(self, api: HistoryApi) -> None:
        """Deletes the API with all its parts, or a duplicate; a missing one is no error."""
        is_duplicate = api.name in self.duplicates
        api_id = {"ApiId": api.name} if is_duplicate else {}
        self._delete_if_exists(self._client.delete_api, self._client.get_api, **api_id)
        if not is_duplicate:
            self.id = ""

    def _put_parts(self, api: HistoryApi, parts: HttpApiParts) -> None:
        """Creates and updates the parts: the integration before its routes, and the stage last, because it
        deploys the rest."""
        integration = self._put_integration(api, parts.integration)
        for key, authorization in api.routes:
            have = (each for each in parts.routes if each["RouteKey"] == key)
            self._put_route(key, authorization, integration, next(have, None) or {})
        for each in parts.routes:
            if each["RouteKey"] not in dict(api.routes):
                self._delete_if_exists(self._client.delete_route, RouteId=each["RouteId"])
        for each in parts.integrations:
            if each["IntegrationId"] != integration:
                self._delete_if_exists(self._client.delete_integration, IntegrationId=each["IntegrationId"])
        for each in parts.stages:
            if each["StageName"] != api.stage:
                self._delete_if_exists(
                    self._client.delete_stage, self._client.get_stage, StageName=each["StageName"]
                )
        self._put_stage(api, parts.stage(api.stage))

    def _put_integration(self, api: HistoryApi, have: Any) -> str:
        """Creates or updates the chat's integration; returns its id."""
        wanted: dict[str, Any] = {
            "ApiId": self.id,
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": api.uri,
            "IntegrationMethod": "POST",
            "PayloadFormatVersion": api.payload_version,
            "TimeoutInMillis": api.timeout_ms,
            "Description": INTEGRATION_DESCRIPTION,
        }
        aws_id, created = have.get("IntegrationId", ""), False
        if not aws_id:
            aws_id, created = create_once(
                lambda: self._make_no_retry_client().create_integration(**wanted)["IntegrationId"],
                lambda: self._read_parts(self.id).integration.get("IntegrationId"),
            )
        if not created and any(have.get(name) != value for name, value in wanted.items() if name != "ApiId"):
            with_retries(self._client.update_integration, IntegrationId=aws_id, **wanted)
        return str(aws_id)

    def _put_route(self, key: str, authorization: str, integration: str, have: Any) -> None:
        wanted: dict[str, Any] = {
            "ApiId": self.id,
            "RouteKey": key,
            "Target": f"integrations/{integration}",
            "AuthorizationType": authorization,
        }
        aws_id, created = have.get("RouteId", ""), False
        if not aws_id:
            aws_id, created = create_once(
                lambda: self._make_no_retry_client().create_route(**wanted)["RouteId"],
                lambda: next(
                    (each["RouteId"] for each in self._read_parts(self.id).routes if each["RouteKey"] == key),
                    None,
                ),
            )
        if not created and any(have.get(name) != value for name, value in wanted.items() if name != "ApiId"):
            with_retries(self._client.update_route, RouteId=aws_id, **wanted)

    def _put_stage(self, api: HistoryApi, have: Any) -> None:
        wanted: dict[str, Any] = {
            "ApiId": self.id,
            "StageName": api.stage,
            "AutoDeploy": api.auto_deploy,
            # Always both limits: a stage updated without them was seen to throttle at 0.
            "DefaultRouteSettings": {
                "ThrottlingRateLimit": api.throttle_rate,
                "ThrottlingBurstLimit": api.throttle_burst,
            },
        }
        if api.access_log:
            wanted["AccessLogSettings"] = {"DestinationArn": api.access_log, "Format": api.access_format}
        if not have:
            have, created = create_once(
                lambda: self._make_no_retry_client().create_stage(**wanted, Tags=dict(api.stage_tags)),
                lambda: self._read_parts(self.id).stage(api.stage) or None,
            )
            if created:
                return
        stage: Any = {"StageName": api.stage}
        for key in have.get("RouteSettings", {}):
            self._delete_if_exists(self._client.delete_route_settings, RouteKey=key, **stage)
        if have.get("AccessLogSettings") and not api.access_log:
            self._delete_if_exists(self._client.delete_access_log_settings, **stage)
            have = {name: value for name, value in have.items() if name != "AccessLogSettings"}
        if not have.get("AutoDeploy"):
            # It is undocumented whether switching auto-deploy on deploys earlier changes.
            with_retries(self._client.create_deployment, ApiId=self.id, **stage)
        if stage_settings(have) != stage_settings(wanted):
            wanted["DefaultRouteSettings"]["DetailedMetricsEnabled"] = False
            if access_log(have) == access_log(wanted):
                # Sent only if it differs: setting it needs further permissions.
                wanted.pop("AccessLogSettings", None)
            # UpdateStage keeps what is left out; "" removes a variable (as terraform-provider-aws).
            unset = dict.fromkeys(dict(variables(have)), "")
            if unset:
                wanted["StageVariables"] = unset
            with_retries(self._client.update_stage, **wanted)
        self._retag(f"{self.id}/stages/{api.stage}", from_mapping(have.get("Tags", {})), api.stage_tags)

    def _retag(self, part: str, before: StringMap, after: StringMap) -> None:
        retag(self._client, self._arn_prefix + part, before, after)

    def _delete_if_exists(
        self, call: Callable[..., Any], get: Callable[..., Any] | None = None, **parameters: Any
    ) -> None:
        delete_if_exists(self._client, call, get, **{"ApiId": self.id, **parameters})
