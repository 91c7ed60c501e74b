"""IAM users with exactly the policies that `nwchatctl policy` prints, and commands that run as them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nwchatctl.iam_templates import boundary_name, compact
from nwchatctl.sandbox.state import AccessKey
from tests.live.run import Run, error_code
from tests.paths import ROOT

VISIBLE_SECONDS = 120.0
"""How long a new user, its key and its policies may take until every call knows them."""

SETTLE_SECONDS = 15.0
"""How long to wait after that on AWS: other services learn of the user a little later."""

COMMAND_SECONDS = 1500.0
"""The longest command is a deploy, which waits up to 20 minutes for point-in-time recovery."""

STOP_SECONDS = 30.0


class CommandFailed(Exception):
    """A command of the tool ended with an error; the message has its code and text."""


@dataclass
class User:
    """An IAM user of the run. The secret is only in this process and in its commands' environments."""

    run: Run
    name: str
    key: AccessKey = field(repr=False)

    def client(self, service: str) -> Any:
        """A client of the user that makes each call once."""
        target = self.run.target
        return target.client(service, retries=False, session=target.session_of(self.key))

    def command(self, chat: str, *argv: str, **settings: str) -> Any:
        """Runs `nwchatctl` as this user for `chat`; its JSON. Raises CommandFailed."""
        with self._environment(chat, settings) as environment:
            done = _run([*argv, "--json"], environment, self.run)
        if done.returncode:
            raise CommandFailed(f"nwchatctl {argv[0]}: {_failure(done)}")
        return json.loads(done.stdout)

    @contextmanager
    def _environment(self, chat: str, settings: Mapping[str, str]) -> Iterator[dict[str, str]]:
        home = self.run.home / self.name
        home.mkdir(mode=0o700, exist_ok=True)
        with self.run.target.environment(self.key, home) as environment:
            tags = {f"NWCHAT_TAGS__{key}": value for key, value in self.run.tags.items()}
            # The sandbox's own boundary is another.
            tags["NWCHAT_FUNCTIONS__PERMISSIONS_BOUNDARY"] = boundary_name(chat)
            yield {**environment, "NWCHAT_CHAT__NAME": chat, **tags, **settings, "PWD": str(home)}


def _run(argv: list[str], environment: Mapping[str, str], run: Run) -> subprocess.CompletedProcess[str]:
    """Runs a command that ends with this process: it holds the journal's lock, and stops at the end of its
    input."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.live.command", *argv],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=environment["PWD"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=(run.journal.descriptor,),
        # Ctrl-C is for this process alone, which then ends the command's input.
        start_new_session=True,
    )
    try:
        left = run.deadline - time.monotonic()
        out, err = _communicate(process, min(COMMAND_SECONDS, max(left, 1.0)))
    except BaseException:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _communicate(process: subprocess.Popen[str], seconds: float) -> tuple[str, str]:
    """The output. `Popen.communicate` would close the input first."""
    err: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: err.append(process.stderr.read()))  # type: ignore[union-attr]
    timer = threading.Timer(seconds, process.terminate)
    reader.start()
    timer.start()
    try:
        out = process.stdout.read()
        process.wait()
        reader.join()
    finally:
        timer.cancel()
    return out, "".join(err)


def _failure(done: subprocess.CompletedProcess[str]) -> str:
    """Code and message of the tool's error, or the end of what it wrote."""
    for line in reversed(done.stderr.splitlines()):
        try:
            error = json.loads(line).get("error")
        except (ValueError, AttributeError):
            continue
        if isinstance(error, dict):
            return f"{error.get('code')}: {error.get('message')}"
    return f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"


# Making users -------------------------------------------------------------------------------------


def make_user(run: Run, which: str, documents: Mapping[str, Any]) -> User:
    """A user with these managed policies and no other, once AWS knows its key. `documents` are by their last
    word: `deploy` becomes the policy `livecheck-RUN-WHICH-deploy`."""
    iam, name = run.client("iam"), run.making("user", run.name(which))
    iam.create_user(UserName=name, Tags=run.tag_list)
    for last, document in documents.items():
        arn = make_policy(run, f"{name}-{last}", document)
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    user = User(run, name, AccessKey(made["AccessKeyId"], made["SecretAccessKey"]))
    _await(run, user)
    return user


def make_policy(run: Run, name: str, document: Any) -> str:
    """A managed policy of this name; its ARN."""
    run.making("policy", name)
    text = compact(document)
    made = run.client("iam").create_policy(PolicyName=name, PolicyDocument=text, Tags=run.tag_list)
    return str(made["Policy"]["Arn"])


def make_boundary(run: Run, chat: str, document: Any) -> None:
    """The permissions boundary of a chat's roles."""
    make_policy(run, boundary_name(chat), document)


def _await(run: Run, user: User) -> None:
    """Waits until three calls in a row are allowed: IAM's changes reach its servers one by one."""
    api, allowed = user.client("apigatewayv2"), 0

    def is_allowed() -> bool:
        nonlocal allowed
        allowed = 0 if error_code(lambda: api.get_apis(MaxResults="1")) else allowed + 1
        return allowed >= 3

    every = 0.02 if run.target.sandbox else 1.0
    run.until(is_allowed, seconds=VISIBLE_SECONDS, every=every, what=f"the new user {user.name}")
    if not run.target.sandbox:
        time.sleep(SETTLE_SECONDS)


def administrators_command(run: Run, chat: str, *argv: str) -> Any:
    """The answer of a command that needs no more than to print: `policy`, with the account given, so that it
    calls nothing."""
    home = run.home / "policies"
    home.mkdir(mode=0o700, exist_ok=True)
    with run.target.environment(AccessKey("AKIAXXXXXXXXXXXXXXXX", "none"), home) as environment:
        settings = {"NWCHAT_CHAT__NAME": chat, "PWD": str(home)}
        done = _run([*argv, "--json"], {**environment, **settings}, run)
    if done.returncode:
        raise CommandFailed(f"nwchatctl {argv[0]}: {_failure(done)}")
    return json.loads(done.stdout)
