"""An announcement on its way: stored, sent to all who are connected, and under an id, to each of them once
whoever is at it and however often it begins anew."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark
from nwchatctl.stopping import Stop, gently

if TYPE_CHECKING:
    from nwchat.rows import Recipient
    from nwchat.scanning import Part
    from nwchat.spreading import Counts
    from nwchat.wire import Message
    from nwchatctl.aws.announcements import Announcements
    from nwchatctl.chat.announcing import Holder, Ledger, State
    from nwchatctl.chat.broadcasting import Sent
    from nwchatctl.commands._keeping import Keeper
    from nwchatctl.context import App

_WAIT_SECONDS = 900.0
_LOOK_SECONDS = 0.5
_TRIES = 5

Via = Literal["here", "lambda"]


@dataclass(frozen=True)
class Order:
    """What is to be sent, and how. `key` is the id it is sent once under, "" for none; `to_user` whom it is
    for, "" for everybody; `rate` is posts a second at most; `via` is who posts."""

    message: Message
    key: str
    to_user: str
    ephemeral: bool
    rate: float
    via: Via = "here"


def announce(app: App, order: Order) -> Sent:
    """Sends it. Raises ChatError, and boto3's errors."""
    from nwchatctl.aws.spreading import look
    from nwchatctl.chat.announcing import Ledger, Progress
    from nwchatctl.chat.broadcasting import Sent
    from nwchatctl.deploy.naming import Names

    if order.via == "lambda":
        # Where there is no such function, before anything is stored.
        look(app.aws.client("lambda"), Names(app.settings.chat.name).function("fanout"))
        # Under an id in any case: what the function's invocations have done is written into that row.
        return _once(app, order if order.key else replace(order, key=order.message.id))
    if order.key:
        return _once(app, order)
    if not order.ephemeral:
        # Before anybody hears it: what a socket misses, history has.
        app.store.append(order.message, _expiry(app, order.message))
    with gently() as stop:
        try:
            counts = send(app, order, order.message, Ledger(Progress()), stop)
        except BaseException as error:
            if not order.ephemeral:
                # Sent again it would be a second message.
                error.add_note(f"it is in the history, as {order.message.id}")
            raise
    return Sent(order.message.id, counts, stopped=_stopped(stop, counts))


def foreseen(app: App, order: Order) -> Sent:
    """What `announce` would do at this moment, `recipients` those it would be sent to. Raises as it does."""
    from nwchat.spreading import Counts
    from nwchatctl.chat.announcing import Progress
    from nwchatctl.chat.broadcasting import Sent

    state = _rows(app, order).read(app.now_ms()) if order.key else None
    if state is not None and state.to_user != order.to_user:
        raise _of_another(order, state)
    if state is not None and state.progress.finished:
        return Sent(state.message_id, already_sent=True)
    progress = Progress() if state is None else state.progress
    pages = (page for part in progress.parts for page in _read(app, order, part, None))
    counts = Counts(recipients=len(progress.again) + sum(map(len, pages)))
    return Sent(order.message.id if state is None else state.message_id, counts, resumed=state is not None)


def _rows(app: App, order: Order) -> Announcements:
    from nwchat.store import Dedup
    from nwchatctl.aws.announcements import Announcements
    from nwchatctl.chat.broadcasting import ID_SECONDS, SCOPE
    from nwchatctl.deploy.naming import Names

    table = Names(app.settings.chat.name).messages
    return Announcements(app.aws.client("dynamodb"), table, Dedup(SCOPE, order.key, ID_SECONDS))


def _once(app: App, order: Order) -> Sent:
    from nwchatctl.chat.announcing import Ledger, Progress, State
    from nwchatctl.chat.broadcasting import Sent
    from nwchatctl.commands import _handing
    from nwchatctl.commands._keeping import Keeper, me

    rows = _rows(app, order)
    new = State(order.message.id, _kept(order.message), order.to_user, holder=me(app))
    expires_at = None if order.ephemeral else _expiry(app, order.message)
    state: State | None = None
    for _ in range(_TRIES):
        began = rows.begin(new, order.message, expires_at, app.now_ms())
        if state := new if began else _turn(app, rows, order):
            break
        # Two that began at the same moment have both been sent away.
        time.sleep(random.random())  # noqa: S311 - no secret
    if state is None:
        raise _again(order)
    if state.progress.finished:
        return Sent(state.message_id, already_sent=True)
    resumed = state.message_id != new.message_id
    message = _message(state) if resumed else order.message
    ledger = Ledger(state.progress)
    keeper = Keeper(app, rows, state)
    with gently() as stop, keeper:
        try:
            # Of what was begun before, the rest is no more than this machine can send.
            if order.via == "lambda" and state.progress == Progress():
                counts = _handing.hand_over(app, order, message, ledger, stop, rows, keeper)
            else:
                counts = send(app, order, message, ledger, stop, keeper)
        finally:
            keeper.close(ledger.progress())
    if keeper.lost:
        raise ChatError(
            f"another process took announcement {order.key} over",
            hint="run the command again: it waits for the other one",
            code="taken_over",
        )
    return Sent(state.message_id, counts, resumed=resumed, stopped=_stopped(stop, counts))


def send(
    app: App, order: Order, message: Message, ledger: Ledger, stop: Stop, keeper: Keeper | None = None
) -> Counts:
    """Sends to all that the ledger has left, read while it is sent."""
    from nwchat.ahead import Ahead
    from nwchat.pace import Pace
    from nwchat.wire import message_frame
    from nwchatctl.commands._connections import roughly

    parts = ledger.progress().parts
    readers = [ledger.again, *(_reader(app, order, part, ledger) for part in parts)]
    everybody: Ahead[Recipient] = Ahead(readers, depth=1)
    said = ""
    with app.bar("sent", roughly(app)) as bar:

        def tick(counts: Counts) -> str:
            nonlocal said
            failed = counts.failed + counts.refused
            said = f"{counts.delivered} delivered, {counts.gone} gone, {failed} failed"
            bar.update(counts.recipients, said)
            if keeper is not None:
                keeper.offer(ledger.progress())
                if keeper.lost:
                    return "taken over"
            return stop.reason

        try:
            return app.poster.spread(
                everybody,
                message_frame(message).encode(),
                pace=Pace(order.rate),
                tick=tick,
                settled=ledger.settle,
            )
        except Exception as error:
            if said:
                error.add_note(said)
            raise
        finally:
            everybody.close()


def _reader(
    app: App, order: Order, part: Part, ledger: Ledger
) -> Callable[[], Iterator[Sequence[Recipient]]]:
    return lambda: _read(app, order, part, ledger)


def _read(app: App, order: Order, part: Part, ledger: Ledger | None) -> Iterator[Sequence[Recipient]]:
    from nwchatctl.chat.candidates import PAGE_ROWS

    # Consistently: whoever was there before the announcement hears it.
    pages = app.store.scan(part, app.now_ms(), consistent=True, user=order.to_user, page_size=PAGE_ROWS)
    for found in pages:
        yield found.recipients if ledger is None else ledger.noted(found, part)


def _turn(app: App, rows: Announcements, order: Order) -> State | None:
    """The announcement that was begun under the id before, once nobody else is at it: taken up, unless it is
    finished; None when there is none. Raises ChatError when somebody is at it for too long, or it was meant
    for somebody else."""
    from nwchatctl.chat.announcing import is_free
    from nwchatctl.commands._keeping import me
    from nwchatctl.machine import is_dead

    began = heard = time.monotonic()
    before: Holder | None = None
    while True:
        state = rows.read(app.now_ms())
        if state is None:
            return None
        if state.to_user != order.to_user:
            raise _of_another(order, state)
        holder = me(app)
        if state.progress.finished or (state.holder and state.holder.process == holder.process):
            return state
        now = time.monotonic()
        if state.holder != before:
            if before is None and state.holder is not None:
                app.say(Line(f"{state.holder.owner} is sending it already: waiting", Mark.DIM))
            before, heard = state.holder, now
        dead = state.holder is not None and is_dead(state.holder.process)
        if is_free(state, app.now_ms(), dead=dead, silent_ms=round((now - heard) * 1000)):
            if rows.take_up(state, holder):
                app.say(Line(f"going on with {state.message_id}, which was begun before", Mark.DIM))
                return replace(state, holder=holder)
        elif now - began > _WAIT_SECONDS:
            raise _again(order)
        time.sleep(_LOOK_SECONDS)


def _kept(message: Message) -> str:
    from nwchat.wire import to_json_dict

    return json.dumps(to_json_dict(message), ensure_ascii=False)


def _message(state: State) -> Message:
    from nwchat.wire import from_json_dict

    return from_json_dict(json.loads(state.frame))


def _expiry(app: App, message: Message) -> int:
    from nwchat.keys import message_expiry

    return message_expiry(message.date, app.settings.tables.retention_days)


def _stopped(stop: Stop, counts: Counts) -> str:
    return stop.reason if counts.cut_short else ""


def _again(order: Order) -> ChatError:
    return ChatError(
        f"announcement {order.key} is still being sent by another process",
        hint="run the command again later: it goes on if that one has died",
        code="still_sending",
    )


def _of_another(order: Order, state: State) -> ChatError:
    whom = f"user {state.to_user}" if state.to_user else "everybody"
    return ChatError(
        f"id {order.key} was used for an announcement to {whom}",
        hint="give another --id",
        code="id_taken",
        exit_code=Exit.USAGE,
    )
