"""The deployments of a WebSocket API (snapshots for a stage), as API Gateway v2 spells them."""

from __future__ import annotations

from typing import Any

from nwchatctl.aws.apigateway.api_client import NAME_PREFIX, ApiClient, name_in
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.deploy.model.websocket import Deployment


class Deployments:
    """Reads, creates and deletes the deployments of an API."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._client = api.client
        self._ids = api.ids

    def with_names(self, items: list[Any], stages: list[Any]) -> list[Deployment]:
        """AWS's `items` as model data, in their order, with the `stages` that serve them. A deployment
        without a name of the tool's is named by its id."""
        stages_by_deployment: dict[str, list[str]] = {}
        for each in stages:
            stages_by_deployment.setdefault(each.get("DeploymentId", ""), []).append(each["StageName"])
        self._ids.deployments.clear()
        # Served deployments first: of two with the same name (after a lost response), the served one keeps
        # it.
        for each in sorted(items, key=lambda each: each["DeploymentId"] not in stages_by_deployment):
            name = name_in(each.get("Description", ""))
            marked = bool(name) and name not in self._ids.deployments
            self._ids.deployments[name if marked else each["DeploymentId"]] = each["DeploymentId"]
        names = {aws_id: name for name, aws_id in self._ids.deployments.items()}
        return [
            Deployment(
                names[each["DeploymentId"]],
                marked=names[each["DeploymentId"]] != each["DeploymentId"],
                created=str(each.get("CreatedDate", "")),
                held_by=tuple(sorted(stages_by_deployment.get(each["DeploymentId"], ()))),
            )
            for each in items
        ]

    def create(self, deployment: Deployment) -> None:
        """Creates a snapshot of routes and integrations; its description has their fingerprint."""
        wanted: Any = {"ApiId": self._ids.api, "Description": NAME_PREFIX + deployment.name}
        self._ids.deployments[deployment.name], _ = create_once(
            lambda: self._api.no_retry_client.create_deployment(**wanted)["DeploymentId"],
            lambda: self._api.find(self._client.get_deployments, {"Description": wanted["Description"]}).get(
                "DeploymentId"
            ),
        )

    def set_name(self, aws_id: str, name: str) -> None:
        """Gives the deployment with that id a name of the tool's, so that it is kept."""
        with_retries(
            self._client.update_deployment,
            ApiId=self._ids.api,
            DeploymentId=aws_id,
            Description=NAME_PREFIX + name,
        )
        self._ids.deployments[name] = aws_id

    def delete(self, deployment: Deployment) -> None:
        """Deletes the deployment; a missing one is no error. AWS refuses one that a stage serves."""
        aws_id = self._ids.deployments.pop(deployment.name)
        self._api.delete_if_exists(self._client.delete_deployment, ApiId=self._ids.api, DeploymentId=aws_id)
