"""Which Region a role belongs to.

IAM is one for all Regions of an account. The name and the tag `REGION_TAG` of a role have its Region. Earlier
versions of the tool gave a role its function's name and no such tag, so that a deploy in a second Region
changed the roles of the first. Such a role is kept in the Region that it works for, because published
versions of functions run on it; every other Region leaves it alone and has roles of its own (ADR 34).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Role
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.model.string_map import StringMap, has_tags, string_map
from nwchatctl.deploy.names import REGION_TAG

_ARN_REGION = re.compile(r"\barn:[^:\"]*:[^:\"]*:([a-z0-9-]+):")


def with_region(tags: StringMap, region: str) -> StringMap:
    """The tags of a role in `region`: `tags`, those of all resources, and the Region."""
    return string_map({**dict(tags), REGION_TAG: region})


def works_here(role: Role, own: Mapping[str, str], location: Location, used_here: Collection[str]) -> bool:
    """Whether a role whose name has no Region belongs to the chat in this Region.

    `own` are the chat's tags, and `used_here` the roles that the chat's functions in this Region run on.
    Without the tag of the Region, the ARNs in the role's policy decide; if it has none, as after a change by
    hand, whether a function runs on the role.
    """
    if not has_tags(role.tags, own):
        return False
    tagged = dict(role.tags).get(REGION_TAG)
    if tagged is not None:
        return tagged == location.region
    regions = set(_ARN_REGION.findall(role.policy))
    return location.region in regions if regions else role.name in used_here


def own_roles(live: State) -> frozenset[str]:
    """The names of the roles in `live`."""
    return frozenset(each.name for each in live.values() if isinstance(each, Role))
