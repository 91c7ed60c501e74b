"""Bans players and addresses, and removes bans: `ban` and `connections kick --ban`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nwchat.model import log_hash
from nwchat.model.bans import keys_of
from nwchatctl.aws.dynamodb.bans import Bans
from nwchatctl.chat import bans
from nwchatctl.chat.bans import BanChange, BanEnd, BanTarget, change_ban
from nwchatctl.errors import error_note, usage_error
from nwchatctl.report import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from nwchat.model.bans import Ban
    from nwchatctl.context import App


def exact_ids(app: App) -> bool:
    """Whether ids that only look the same belong to two players, as they do with tokens."""
    return app.settings.auth.mode == "token"


def bans_table(app: App) -> Bans:
    """The bans of the chat. Raises as `App.aws`."""
    return Bans(app.aws.client("dynamodb"), app.names.messages)


def ban_targets(app: App, users: Iterable[str], addresses: Iterable[str]) -> list[BanTarget]:
    """The targets that --user and --address name, as `distinct_targets`. Raises ChatError, exit 2, also for
    a text that can be no user or address."""
    most = app.limits.max_uname_chars
    found = [
        *(_target(lambda text: bans.user_target(text, most), each, "--user") for each in users),
        *(_target(bans.address_target, each, "--address") for each in addresses),
    ]
    return distinct_targets(app, found)


def distinct_targets(app: App, targets: Iterable[BanTarget]) -> list[BanTarget]:
    """Each once, by key. Raises ChatError, exit 2, for two ids of tokens that look the same: they share one
    ban, so that they cannot both be banned."""
    made: dict[str, BanTarget] = {}
    for each in targets:
        before = made.get(each.key, each)
        if before.who != each.who and exact_ids(app):
            raise usage_error(
                f"{before.who} and {each.who} look alike, and only one of such ids can be banned",
                f"ban one of them by address: {app.command('ban', 'add', '--address', 'IP', '--for', '1h')}",
            )
        made[each.key] = each
    return list(made.values())


def _target(make: Callable[[str], BanTarget], text: str, option: str) -> BanTarget:
    try:
        return make(text)
    except ValueError as error:
        raise usage_error(
            f"{option}: {error}", f"give {option} as `nwchatctl connections list` has it"
        ) from None


def ban_all(
    app: App, targets: Sequence[BanTarget], end: BanEnd, reason: str, dry_run: bool
) -> list[BanChange]:
    """Bans each target, but in a dry run. The error of a failure notes those that are banned by then."""
    # The functions use the clock of AWS.
    table, by = bans_table(app), app.cloud.caller.name
    found = [table.get(each.key) for each in targets]
    now_ms = app.now_ms()
    until, exact = end.epoch_ms(now_ms), exact_ids(app)
    made = [
        change_ban(each, before, until=until, by=by, reason=reason, now_ms=now_ms, exact=exact)
        for each, before in zip(targets, found, strict=True)
    ]
    done: list[str] = []
    with error_note(lambda: f"{', '.join(done)} banned" if done and not dry_run else ""):
        for each in made:
            if each.change != "unchanged" and not dry_run:
                table.put(each.ban)
            done.append(each.ban.who)
    return made


def shared_addresses(app: App, targets: Sequence[BanTarget], spared: Collection[str] = ()) -> list[str]:
    """Warnings for bans on addresses that several connections have, as behind a CDN or in a school. The
    connections `spared`, by id, are those that the ban is for."""
    keys = {each.key for each in targets if each.key.startswith("address#")}
    if not keys:
        return []
    pages = app.store.connections(app.clock.now_ms(), full=True)
    counts = Counter(
        key
        for page in pages
        for row in page
        if row.connection_id not in spared
        for key in keys & set(keys_of(address=row.source_ip))
    )
    least = 1 if spared else 2
    return [
        f"{_connections(counts[each.key], other=bool(spared))} the address {each.who}: the ban is on all of "
        "them; behind a CDN or a proxy, ban the user instead"
        for each in targets
        if counts[each.key] >= least
    ]


def _connections(number: int, *, other: bool) -> str:
    noun = "other connection" if other else "connection"
    return f"{counted(number, noun)} {'has' if number == 1 else 'have'}"


def log_hashes(app: App, targets: Iterable[BanTarget]) -> list[tuple[str, str]]:
    """Each target with its hash in the logs of the functions; after an IPv6 address its /64. Raises ChatError
    `not_deployed`."""
    key = app.store.table_id().encode()
    texts: dict[str, str] = {}
    for each in targets:
        texts[each.key] = each.who
        if each.key.startswith("address#") and (subnet := log_hash.address_text(each.who)):
            texts.setdefault(subnet, subnet.partition("#")[2])
    return [(who, log_hash.log_hash(key, text)) for text, who in texts.items()]


def list_bans(app: App, *, ended: bool) -> list[tuple[Ban, bool]]:
    """The bans, each with whether it still applies; with `ended`, also those that do not."""
    found = list(bans_table(app).all())
    now_ms = app.now_ms()
    return [(each, each.is_active(now_ms)) for each in found if ended or each.is_active(now_ms)]


def remove_bans(app: App, targets: Sequence[BanTarget], dry_run: bool) -> tuple[list[Ban], list[str]]:
    """Removes the bans on these targets, but in a dry run; the bans, and the targets that have none. The
    error of a failure notes those that are removed by then."""
    table = bans_table(app)
    found = [table.get(each.key) for each in targets]
    now_ms = app.now_ms()
    removed: list[Ban] = []
    missing: list[str] = []

    def done() -> str:
        names = ", ".join(each.who for each in removed)
        return f"{names} no longer banned" if names and not dry_run else ""

    with error_note(done):
        for each, ban in zip(targets, found, strict=True):
            # The row of one that is over stays for `ban list --all`.
            holds = ban is not None and ban.is_active(now_ms)
            gone = ban if dry_run or not holds else table.remove(each.key)
            if gone is None or not holds:
                missing.append(each.who)
            else:
                removed.append(gone)
    return removed, missing
