"""The promises of the wire protocol, whatever happens: a state machine over clients and faults.

Clients connect, disconnect, send, retry, and send under the keys of others. Functions die, fail or lose an
answer at any call, or stop there while others send; reads are stale; ids are late.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.nwchat.faulty_chat import Client, Fault, FaultyChat, Kind


@dataclass(frozen=True)
class PlannedFault:
    """The call of a function that fails, and how; `meanwhile` happens while the function is paused."""

    call: int
    kind: Kind
    ack_first: bool
    meanwhile: list[tuple[str, str]]


NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
others = st.lists(
    st.tuples(st.sampled_from(["say", "connect", "disconnect", "retry", "wait", "fan out"]), names),
    max_size=4,
)
"""What happens while a function has stopped at a call."""
faults = st.builds(PlannedFault, st.integers(0, 14), st.sampled_from(Kind), st.booleans(), others)


class Promises(RuleBasedStateMachine):
    chat: FaultyChat
    latest: dict[str, str]

    @initialize(large=st.booleans(), tokens=st.booleans())
    def deploy(self, large: bool, tokens: bool) -> None:
        self.chat = FaultyChat(NAMES, large=large, tokens=tokens)
        self.latest = {}
        for name in NAMES:
            self.chat.connect(name)

    # Rules --------------------------------------------------------------------------------------

    @rule(name=names)
    def connect(self, name: str) -> None:
        self.chat.connect(name)

    @rule(name=names)
    def disconnect(self, name: str) -> None:
        self.chat.disconnect(name)

    @rule(ms=st.sampled_from([10, 500, 1500, 10_000, 20_000]))
    def wait(self, ms: int) -> None:
        self.chat.now += ms

    @rule()
    def fan_out(self) -> None:
        self.chat.run_accepted()

    @rule(name=names, fault=faults)
    def say(self, name: str, fault: PlannedFault) -> None:
        if self.chat.clients[name].socket:
            self._say(name, self._fault(fault))

    @rule(name=names, fault=faults)
    def retry(self, name: str, fault: PlannedFault) -> None:
        """Oldest first."""
        client = self.chat.clients[name]
        if client.socket and client.unacked:
            self.chat.retry(name, next(iter(client.unacked)), self._fault(fault))

    @rule(name=names)
    def retry_although_acked(self, name: str) -> None:
        client = self.chat.clients[name]
        if client.socket and client.acks:
            self.chat.retry(name, client.acks[-1][1])

    @precondition(lambda self: self.latest)
    @rule(name=names, victim=names)
    def forge(self, name: str, victim: str) -> None:
        """Under the `client_id` that another player has used or is about to use again."""
        key = self.latest.get(victim)
        if name != victim and key is not None and self.chat.clients[name].socket:
            self.chat.forge(name, victim, key)

    def _fault(self, planned: PlannedFault) -> Fault:
        return Fault(planned.call, planned.kind, lambda: self._happen(planned.meanwhile), planned.ack_first)

    def _say(self, name: str, fault: Fault | None = None) -> None:
        # The same client_id as others: it is unique within a client only.
        key = f"k{len(self.chat.clients[name].texts)}"
        if key not in self.chat.clients[name].texts:
            self.latest[name] = key
            self.chat.say(name, fault, key)

    def _happen(self, meanwhile: list[tuple[str, str]]) -> None:
        """At most 20 s pass, because a function lives 29 s."""
        for what, name in meanwhile:
            client = self.chat.clients[name]
            match what:
                case "say" if client.socket:
                    self._say(name)
                case "retry" if client.socket and client.unacked:
                    self.chat.retry(name, next(iter(client.unacked)))
                case "connect":
                    self.chat.connect(name)
                case "disconnect":
                    self.chat.disconnect(name)
                case "fan out":
                    self.chat.run_accepted()
                case "wait":
                    self.chat.now += 5000

    # Promises -----------------------------------------------------------------------------------

    @invariant()
    def every_ack_is_of_a_stored_message_with_that_text(self) -> None:
        rows = {row["id"]["S"]: row for row in self.chat.stored()}
        for client in self.chat.clients.values():
            for text, _, message_id in client.acks:
                assert rows[message_id]["message"]["S"] == text

    @invariant()
    def every_message_is_stored_once_and_shown_under_one_id(self) -> None:
        ids = defaultdict(set)
        for row in self.chat.stored():
            ids[row["message"]["S"]].add(row["id"]["S"])
            assert len(ids[row["message"]["S"]]) == 1
        for client in self.chat.clients.values():
            assert len(set(client.shown.values())) == len(client.shown)
            for message_id, text in client.shown.items():
                assert ids[text] == {message_id}

    @invariant()
    def every_open_socket_has_every_acked_message(self) -> None:
        if self.chat.accepted:
            # Lambda has accepted it and will send it.
            return
        for sender in self.chat.clients.values():
            for _, _, message_id in sender.acks:
                for client in self.chat.clients.values():
                    if client.socket and not self._may_miss(client, message_id):
                        assert message_id in client.shown

    def _may_miss(self, client: Client, message_id: str) -> bool:
        """Whether the message was sent again more than 30 s late, while the client was away.

        `docs/explanation/adr/0022-acks-and-deduplication.md` says so under "What remains".
        """
        written_at = self.chat.tables.rows["messages", "main", message_id][0]
        return client.opened_at >= written_at and message_id <= client.asked_after

    def teardown(self) -> None:
        """Everybody is connected and sends what was not acked; nothing fails any more."""
        if not hasattr(self, "chat"):
            return
        for name, client in self.chat.clients.items():
            if not client.socket:
                self.chat.connect(name)
            for key in list(client.unacked):
                self.chat.retry(name, key)
            assert not client.unacked
        self.chat.run_accepted()
        self.every_ack_is_of_a_stored_message_with_that_text()
        self.every_message_is_stored_once_and_shown_under_one_id()
        self.every_open_socket_has_every_acked_message()


TestPromises = Promises.TestCase
TestPromises.settings = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    print_blob=False,
    # Shrinking a failure takes minutes; for a short example, add Phase.shrink.
    phases=(Phase.generate,),
)
