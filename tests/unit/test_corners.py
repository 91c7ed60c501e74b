"""Corners of the command line: empty values, names in errors, colour, completion, streams, homes."""

from __future__ import annotations

import errno
import os
import pwd
from pathlib import Path

import pytest

from nwchat.model.bans import Ban
from nwchatctl import reference
from nwchatctl.errors import ChatError, Exit
from nwchatctl.output.ban_view import end_cell, ends
from nwchatctl.sandbox.state import locate, read_info
from nwchatctl.timestamps import local
from tests.fuzz.program import Outcome, run


def ran(folder: Path, *argv: str, environ: dict[str, str] | None = None, **streams: int) -> Outcome:
    return run(argv, {"HOME": str(folder), **(environ or {})}, folder, **streams)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["history", "tail", "--user", ""], "--user"),
        (["history", "tail", "--grep", ""], "--grep"),
        (["history", "tail", "--columns", ""], "--columns"),
        (["connections", "list", "--user", " "], "--user"),
        (["connections", "kick", "--user", ""], "--user"),
        (["connections", "kick", ""], "ID"),
        (["connections", "show", ""], "ID"),
        (["broadcast", "--as", "", "hi"], "--as"),
        (["broadcast", "--id", "\t", "hi"], "--id"),
        (["broadcast", "--to-user", "", "hi"], "--to-user"),
        (["ban", "add", "--user", "x", "--user", ""], "--user"),
        (["rollback", ""], "RELEASE"),
        (["init", "--name", ""], "--name"),
    ],
)
def test_an_empty_value_is_refused_and_not_taken_for_none(tmp_path: Path, argv: list[str], name: str) -> None:
    done = ran(tmp_path, *argv)
    assert (done.code, done.out) == (Exit.USAGE, b"")
    assert done.err == f"error: {name} is empty\nhint: give {name} a value, or leave it out\n"


def test_an_empty_config_is_not_the_working_directory(tmp_path: Path) -> None:
    done = ran(tmp_path, "--config", "", "config", "show")
    assert (done.code, done.err.splitlines()[0]) == (
        Exit.USAGE,
        "error: invalid value for '--config': it is empty; give a file, or leave it out",
    )


@pytest.mark.parametrize("words", [["--color", "never"], ["--color=never"]])
@pytest.mark.parametrize("at", [0, 1])
def test_the_colour_of_errors_of_the_command_line(tmp_path: Path, words: list[str], at: int) -> None:
    argv = ["nope"]
    argv[at:at] = words
    assert ran(tmp_path, *argv, environ={"FORCE_COLOR": "1"}).err.startswith("error: there is no command")
    assert ran(tmp_path, "nope", environ={"FORCE_COLOR": "1"}).err.startswith("\x1b[1;31merror:")


@pytest.mark.parametrize(
    ("argv", "start"),
    [
        (["invoke", "nope"], "invalid value for 'FUNCTION': no function 'nope'; there are connect,"),
        (["init", "--yes", "--name", "X"], "invalid value for '--name': chat.name must be 1 to 24"),
        (["--region", "X", "init", "--yes"], "invalid value for '--region': aws.region must be a region"),
    ],
)
def test_errors_name_the_option_or_argument(tmp_path: Path, argv: list[str], start: str) -> None:
    done = ran(tmp_path, *argv)
    assert done.code == Exit.USAGE
    assert done.err.startswith(f"error: {start}"), done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[chat]\n[chat]\n", "Cannot declare [chat] twice (at line 2, column 6)"),
        ("[a.b]\n[a.b]\n", "Cannot declare [a.b] twice (at line 2, column 5)"),
        (f"x = {'9' * 5000}\n", "a number in it is too long"),
    ],
)
def test_toml_errors_are_in_the_words_of_toml(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "nwchat.toml").write_text(text)
    done = ran(tmp_path, "config", "show")
    assert done.err.splitlines()[0] == f"error: {tmp_path / 'nwchat.toml'} is not TOML: {message}"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("nwchatctl help e", ["exit-codes", "environment"]),
        ("nwchatctl help connections k", ["kick"]),
        ("nwchatctl invoke c", ["connect"]),
        ("nwchatctl invoke fan", ["fanout"]),
        ("nwchatctl deploy --only re", ["release", "record", "recovery"]),
        ("nwchatctl history tail --columns u", ["uname"]),
        ("nwchatctl broadcast --via l", ["lambda"]),
        ("nwchatctl --color n", ["never"]),
        ("nwchatctl connections l", ["list"]),
        ("nwchatctl sandbox status --j", ["--json"]),
    ],
)
def test_completion(tmp_path: Path, line: str, offered: list[str]) -> None:
    bash = {"_NWCHATCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    assert ran(tmp_path, environ=bash).out.decode().split() == offered
    zsh = {"_NWCHATCTL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    assert all(f'"{each}"' in ran(tmp_path, environ=zsh).out.decode() for each in offered)
    fish = {
        "_NWCHATCTL_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    assert [each.split("\t")[0] for each in ran(tmp_path, environ=fish).out.decode().splitlines()] == offered


def test_the_reference_lists_the_help_options_that_the_program_has(tmp_path: Path) -> None:
    texts = dict(reference.entries())
    assert all("-h, --help" in text for text in texts.values())
    assert "-h, --help" in ran(tmp_path, "ban", "list", "--help").out.decode()


def test_the_help_of_invoke_says_that_an_event_is_real(tmp_path: Path) -> None:
    said = " ".join(ran(tmp_path, "invoke", "--help").out.decode().split())
    assert "`message` stores the event's text as a message and sends it to everybody" in said


def test_the_help_of_variables_says_how_lists_and_tags_are_written(tmp_path: Path) -> None:
    err = ran(tmp_path, "help", "environment").err
    assert "NWCHAT_CHAT__ALLOWED_ORIGINS=https://a.example,https://b.example" in err
    assert "What follows NWCHAT_TAGS__ is the tag's key as it is, capitals included." in err


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (errno.ENOSPC, Exit.FAILED, "error: the output cannot be written: No space left on device\n"),
        (
            errno.EAGAIN,
            Exit.FAILED,
            "error: the output cannot be written: stdout does not wait for its reader\n"
            "hint: send the output to a file, or through another pipe: | cat\n",
        ),
        (errno.EPIPE, Exit.DONE, ""),
    ],
)
@pytest.mark.parametrize("room", [0, 10])
def test_a_stdout_that_takes_no_more(tmp_path: Path, failure: int, code: int, said: str, room: int) -> None:
    done = ran(tmp_path, "help", "exit-codes", room=room, failure=failure)
    assert done.code == code
    assert done.err.startswith(said)
    assert bool(done.err) == bool(said)


def test_the_home_of_an_unknown_user_is_a_name_like_others(tmp_path: Path) -> None:
    done = ran(tmp_path, "--config", "~nobody-here/x.toml", "config", "show")
    assert done.code == Exit.CONFIG
    assert done.err.startswith(f"error: there is no configuration file {tmp_path}/~nobody-here/x.toml\n")


def test_a_user_without_a_home_is_told_what_the_sandbox_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(ChatError) as caught:
        locate({})
    assert (caught.value.code, caught.value.exit_code) == ("no_home", Exit.CONFIG)
    assert locate({"NWCHAT_SANDBOX_DIR": "/x"}).root == Path("/x")


def test_a_sandbox_where_no_directory_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ChatError) as caught:
        read_info(locate({"NWCHAT_SANDBOX_DIR": str(tmp_path / "file" / "x")}))
    assert (caught.value.code, caught.value.exit_code) == ("sandbox_unreadable", Exit.CONFIG)
    assert caught.value.message.endswith(os.strerror(errno.ENOTDIR))


def test_the_end_of_a_ban_is_the_second_that_the_player_is_told() -> None:
    ban = Ban("user#x", "x", until=1_700_000_000_001)
    assert ends(ban) == f"until {local(1_700_000_001_000)}"
    assert end_cell(ban) == local(1_700_000_001_000)
    assert ends(Ban("user#x", "x", until=1_700_000_000_000)) == f"until {local(1_700_000_000_000)}"
    assert (ends(Ban("user#x", "x")), end_cell(Ban("user#x", "x"))) == ("forever", "forever")
