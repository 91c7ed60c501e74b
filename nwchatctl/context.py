"""The composition root: what a command finds in `ctx.obj`. Everything is made when it is first used, and
imported no earlier: of the start of `--version` this module was a fifth.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nwchatctl.errors import ChatError, Exit
from nwchatctl.output.streams import Streams, open_streams

if TYPE_CHECKING:
    from contextlib import ExitStack

    from nwchat.aws.signing import Credentials
    from nwchat.delivery.poster import Poster
    from nwchat.delivery.socket_transport import Transport
    from nwchat.delivery.targets import RowDeletion
    from nwchat.model.limits import Limits
    from nwchat.storage.store import Store
    from nwchatctl.aws.cloud import Cloud
    from nwchatctl.aws.core.server_clock import ServerClock
    from nwchatctl.aws.core.session import Aws
    from nwchatctl.aws.dynamodb.messages import Messages
    from nwchatctl.config import LoadedSettings, Settings
    from nwchatctl.deploy.domains.facts import DomainConfig
    from nwchatctl.deploy.names import ResourceNames
    from nwchatctl.output.progress import Progress
    from nwchatctl.output.prompt import ConsentReasons
    from nwchatctl.output.terminal import Terminal
    from nwchatctl.report import Line, Report, Stream

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options that every command takes. `timeout` is in seconds; None: not given."""

    sandbox: bool = False
    config: Path | None = None
    profile: str | None = None
    region: str | None = None
    color: str = "auto"
    timeout: float | None = None
    quiet: bool = False
    verbose: bool = False
    debug: bool = False

    def words(self) -> tuple[str, ...]:
        """Those that say which chat is meant, as they are typed."""
        words: list[str] = ["--sandbox"] if self.sandbox else []
        for name, value in (("config", self.config), ("profile", self.profile), ("region", self.region)):
            if value is not None:
                words += [f"--{name}", str(value)]
        return tuple(words)


@dataclass
class App:
    """One run of a command: its options, and what it works with."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    options: GlobalOptions = GlobalOptions()
    json: bool = False
    resources: ExitStack | None = field(default=None, init=False, repr=False)
    """What ends with the command that runs; None while none does."""
    _progress: Progress | None = field(default=None, init=False, repr=False)

    # What it was called with ------------------------------------------------------------------

    @cached_property
    def cwd(self) -> Path:
        """The working directory. Raises ChatError `no_cwd`, exit 3, when it was removed."""
        try:
            return Path.cwd()
        except OSError as error:
            raise ChatError(
                f"the working directory is gone: {error.strerror}",
                hint="change to one that exists",
                code="no_cwd",
                exit_code=Exit.CONFIG,
            ) from error

    @cached_property
    def sandbox(self) -> bool:
        """Whether --sandbox or NWCHAT_SANDBOX points at the sandbox. Raises ChatError `config_invalid`."""
        text = self.environ.get("NWCHAT_SANDBOX", "").strip().lower()
        if text not in (*_TRUE, *_FALSE):
            raise ChatError(
                f"NWCHAT_SANDBOX must be 1 or 0, not {text!r}",
                hint="unset NWCHAT_SANDBOX, or set it to 1",
                code="config_invalid",
                exit_code=Exit.CONFIG,
            )
        return self.options.sandbox or text in _TRUE

    @cached_property
    def loaded(self) -> LoadedSettings:
        """The settings with their origins. Raises ChatError, exit 3, as `config.load` says."""
        from nwchatctl.config import load

        flags = {"aws.profile": self.options.profile, "aws.region": self.options.region}
        given = {key: value for key, value in flags.items() if value is not None}
        found = load(self.options.config, cwd=self.cwd, environ=self.environ, flags=given)
        if found.ignored and self.options.verbose:
            self.warn(f"ignored, as variables of Kubernetes or Docker: {', '.join(found.ignored)}")
        return found

    @property
    def settings(self) -> Settings:
        """The settings; defaults alone where nothing is configured. Raises as `loaded`."""
        return self.loaded.settings

    @cached_property
    def names(self) -> ResourceNames:
        """What the chat's resources are called. Raises as `loaded`."""
        from nwchatctl.deploy.names import ResourceNames

        return ResourceNames(self.settings.chat.name)

    def require_config(self) -> None:
        """For what touches AWS: raises ChatError `config_missing`, exit 3, when nobody said which chat.

        In the sandbox the defaults will do.
        """
        if self.sandbox or self.loaded.path is not None or "NWCHAT_CHAT__NAME" in self.environ:
            return
        raise ChatError(
            f"there is no nwchat.toml in {self.cwd} or above it",
            hint="run `nwchatctl init`, or give --config FILE",
            code="config_missing",
            exit_code=Exit.CONFIG,
        )

    def command(self, *words: str) -> str:
        """A command line for a hint, about the same chat: `nwchatctl --sandbox deploy`."""
        import shlex

        return shlex.join(("nwchatctl", *self.options.words(), *words))

    def local_ms(self) -> int:
        """This machine's time, in epoch ms, which may be wrong: for what never leaves the machine."""
        return time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        """The time by AWS's clock, in epoch ms: for everything that is stored, signed or compared with what
        is stored. Before the first response of AWS it asks who the caller is. Raises as `cloud`."""
        if not self.clock.is_set:
            self.cloud.caller  # noqa: B018 - for the date of the response
        return self.clock.now_ms()

    @cached_property
    def clock(self) -> ServerClock:
        """AWS's clock, by the responses that there were. Raises as `aws`."""
        from nwchatctl.aws.core.server_clock import ServerClock

        return ServerClock(self.aws.dates, self.local_ms)

    # AWS --------------------------------------------------------------------------------------

    @cached_property
    def aws(self) -> Aws:
        """boto3, on AWS or on the sandbox. Raises ChatError where nothing is configured or running."""
        from nwchatctl.aws.core.session import Access, Aws, StaticCredentials, open_account
        from nwchatctl.wait_notices import announced

        self.require_config()
        if self.resources is not None:
            self.resources.enter_context(announced(self.warn_of_wait))
        if not self.sandbox:
            wanted = self.settings.aws
            return open_account(wanted.profile, wanted.region, self.environ, self._trace, self._terminal_code)
        from nwchatctl.sandbox.endpoint import load_endpoint

        target = load_endpoint(self.environ)
        # A region of the settings counts here as it does on AWS; nothing of the AWS configuration does.
        region = self.settings.aws.region
        keys = StaticCredentials(target.access_key_id, target.secret_access_key)
        return Aws(
            Access(region=region or target.region, endpoint=target.endpoint, credentials=keys), self._trace
        )

    def _terminal_code(self, question: str) -> str:
        """An MFA code, which is asked for at the terminal. Raises ChatError `mfa_required`, exit 3."""
        return self._terminal.ask_hidden(question)

    @property
    def _trace(self) -> Callable[[str], None] | None:
        """Where a line for each AWS call goes under --debug, whatever else is silent."""
        if not self.options.debug:
            return None
        return lambda line: self._terminal.trace(f"aws: {line}")

    @cached_property
    def cloud(self) -> Cloud:
        """The chat on AWS, which is asked for the account when that is first wanted. Raises as `aws`."""
        from nwchatctl.aws.cloud import Cloud

        cloud = Cloud(self.aws, None, self.names, self.settings.stage.name, self.now_ms)
        cloud.reads_token_keys = self.settings.auth.mode == "token"
        cloud.domain_configs = self._wanted_names
        return cloud

    def _wanted_names(self) -> tuple[DomainConfig, ...]:
        from nwchatctl.deploy.domains.facts import domain_configs

        return domain_configs(self.settings)

    @cached_property
    def store(self) -> Store:
        """The two tables. Raises as `aws`."""
        from nwchat.storage.store import Store

        return Store(self.aws.client("dynamodb"), self.names.connections, self.names.messages)

    def messages(self, *, retries: bool = True) -> Messages:
        """Reads and writes many messages. Without `retries`, botocore retries nothing, for callers that retry
        themselves. Raises as `aws`."""
        from nwchatctl.aws.dynamodb.messages import Messages

        client = self.aws.client("dynamodb", retries=retries)
        return Messages(client, self.names.messages, self.now_ms)

    @cached_property
    def transport(self) -> Transport:
        """What requests to API Gateway's @connections travel by. Raises as `aws`."""
        from nwchatctl.aws.management_api import transport

        return transport(self.aws)

    @cached_property
    def connections_url(self) -> str:
        """Where the deployed API's connections are asked for. Raises as `cloud` and `Network.check_fips`, and
        UnsupportedProxy."""
        api_id = self.cloud.websocket_api.ids.api or self.cloud.find_api()
        self.aws.network.check_fips(self.cloud.location.partition)
        url = self.cloud.location.connections_url(api_id, self.settings.stage.name)
        self.aws.network.proxies.for_url(url)
        return url

    @cached_property
    def poster(self) -> Poster:
        """Posts to connections of the deployed API. Raises as `cloud`."""
        from nwchat.delivery.poster import Poster

        region = self.cloud.location.region
        return Poster(self.transport, self.connections_url, region, self.credentials, self.rows, self.now_ms)

    @cached_property
    def rows(self) -> RowDeletion:
        """Deletes rows of the connections table. Raises as `aws`."""
        from nwchat.delivery.targets import RowDeletion

        about = self.aws.client("dynamodb").meta
        return RowDeletion(about.endpoint_url, about.region_name, self.names.connections, self.credentials)

    @property
    def sending_rate(self) -> float:
        """Requests a second to connections that leave the players' own requests what the settings reserve."""
        sending = self.settings.sending
        return float(sending.account_rate - sending.reserve_rate)

    def credentials(self) -> Credentials:
        """As they are now. Raises botocore's errors."""
        from nwchatctl.aws.management_api import credentials

        return credentials(self.aws)

    @property
    def limits(self) -> Limits:
        """What a message may be, as the settings have it."""
        from nwchat.model.limits import Limits

        chat = self.settings.chat
        return Limits(chat.max_message_chars, chat.max_uname_chars, chat.rate_messages, chat.rate_seconds)

    # People -----------------------------------------------------------------------------------

    @cached_property
    def streams(self) -> Streams:
        """stdin, stdout and stderr."""
        return open_streams(sys.stdin, sys.stdout, sys.stderr, self.environ, self.options.color)

    @property
    def _terminal(self) -> Terminal:
        from nwchatctl.output.terminal import Terminal

        dumb = self.environ.get("TERM") == "dumb"
        return Terminal(self.streams, self.options.quiet, self.json, dumb, self.options.verbose)

    @property
    def silent(self) -> bool:
        """Whether nothing is printed while a command runs: under -q, and for scripts."""
        return self.options.quiet or self.json

    def print_target(self) -> None:
        """What a mutation says first: where it acts, and by which settings file."""
        place = f"{self.cloud.location.place}{' (sandbox)' if self.sandbox else ''}"
        chat = self.settings.chat.name
        stage = self.settings.stage.name
        path = self.loaded.path
        settings = f", settings {path}" if path else ""
        self._terminal.say_dim(f"{place}: chat {chat}, stage {stage}{settings}")

    def say(self, *lines: Line) -> None:
        """Lines on stderr, for people only."""
        self._terminal.say(*lines)

    def warn(self, text: str) -> None:
        """A warning on stderr, also for scripts; not under -q."""
        self._terminal.warn(text)

    def warn_of_wait(self, text: str) -> None:
        """A warning that the command waits for AWS, from any thread, also while progress is shown; for people
        only: scripts read JSON from stderr too."""
        shown = self._progress
        if self.silent:
            return
        if shown is not None and shown.is_open:
            shown.note(f"warning: {text}")
        else:
            self.warn(text)

    def confirm(
        self, question: str, *, given: bool, flag: str = "--yes", reasons: ConsentReasons | None = None
    ) -> None:
        """Returns after a y, or `given` by `flag`. Raises ChatError, exit 7."""
        self._terminal.confirm(question, given=given, flag=flag, reasons=reasons)

    def confirm_name(
        self, name: str, *, given: str, flag: str = "--confirm", reasons: ConsentReasons | None = None
    ) -> None:
        """Returns when `name` was typed, or `given` by `flag`. Raises ChatError, exit 7."""
        self._terminal.confirm_name(name, given=given, flag=flag, reasons=reasons)

    def progress(self, total: int | None = None) -> Progress:
        """A context manager for steps that start and end, `total` of them."""
        self._progress = self._terminal.progress("", total)
        return self._progress

    def bar(self, label: str, total: int | None = None) -> Progress:
        """A context manager for a count of `total`, which `update` is given."""
        self._progress = self._terminal.progress(label, total)
        return self._progress

    def finish(self, result: Report | Stream) -> int:
        """Prints what a command returned; its exit code."""
        return self._terminal.finish(result)
