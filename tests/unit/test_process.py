"""Exit codes, stdout and stderr of real processes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import GOLDEN
from tests.unit.subprocesses import environment, nwchatctl


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["hlep"], "there is no command `nwchatctl hlep`", "did you mean `nwchatctl help`?"),
        (["xyzzy"], "there is no command `nwchatctl xyzzy`", "nwchatctl --help"),
        (
            ["config", "shwo"],
            "there is no command `nwchatctl config shwo`",
            "did you mean `nwchatctl config show`?",
        ),
        (
            ["config", "show", "--jsno"],
            "`nwchatctl config show` has no option --jsno",
            "did you mean --json?",
        ),
        (
            ["help", "-z"],
            "`nwchatctl help` has no option -z",
            "put -- before an argument that begins with a dash: nwchatctl help -- TOPIC|COMMAND...",
        ),
        (
            ["config", "show", "--foo"],
            "`nwchatctl config show` has no option --foo",
            "nwchatctl config show --help",
        ),
        (
            ["ban", "list", "--timeout", "soon"],
            "invalid value for '--timeout': 'soon' is no length of time; give seconds, or 90s, 15m, 2h, 7d",
            "nwchatctl ban list --help",
        ),
        (
            ["connections", "kick", "-0SM9c="],
            "`nwchatctl connections kick` has no option -0",
            "put -- before an argument that begins with a dash: nwchatctl connections kick -- ID...",
        ),
        (
            ["broadcast", "--9c="],
            "`nwchatctl broadcast` has no option --9c",
            "put -- before an argument that begins with a dash: nwchatctl broadcast -- TEXT",
        ),
        (
            ["connections", "kick", "--user", "x", "--all"],
            "--user and --all cannot be given together",
            "give only one of them",
        ),
        (
            ["history", "tail", "--since", "3600"],
            "invalid value for '--since': 3600 is a time before the year 2000; "
            "give an age as 3600s, 3600m, 3600h, 3600d",
            "nwchatctl history tail --help",
        ),
        (
            ["config", "show", "--regoin", "x"],
            "`nwchatctl config show` has no option --regoin",
            "did you mean --region?",
        ),
        (
            ["--force", "init"],
            "`nwchatctl` has no option --force",
            "--force stands after the command: nwchatctl COMMAND --force",
        ),
        (
            ["help", "config", "shwo"],
            "there is no help topic or command 'config shwo'",
            "did you mean `nwchatctl help config`?",
        ),
        (
            ["--color", "blue", "help"],
            "invalid value for '--color': 'blue' is not one of 'auto', 'always', 'never'",
            "nwchatctl --help",
        ),
        (
            ["--timeout", "soon", "help"],
            "invalid value for '--timeout': 'soon' is no length of time; give seconds, or 90s, 15m, 2h, 7d",
            "nwchatctl --help",
        ),
        (
            ["help", "exit-code"],
            "there is no help topic or command 'exit-code'",
            "did you mean `nwchatctl help exit-codes`?",
        ),
    ],
)
def test_usage_errors(tmp_path: Path, args: list[str], message: str, hint: str) -> None:
    ran = nwchatctl(tmp_path, *args)
    assert (ran.code, ran.out, ran.err) == (2, "", f"error: {message}\nhint: {hint}\n")


def test_errors_for_scripts(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "config", "show", "--json", "--colour")
    assert (ran.code, ran.out) == (2, "")
    assert json.loads(ran.err) == {
        "error": {
            "code": "usage",
            "message": "`nwchatctl config show` has no option --colour",
            "hint": "did you mean --color?",
        }
    }
    ran = nwchatctl(tmp_path, "--config", "nope.toml", "config", "show", "--json")
    assert ran.code == 3
    assert json.loads(ran.err)["error"]["code"] == "config_missing"


def test_without_a_command_help_goes_to_stderr(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: nwchatctl [OPTIONS] COMMAND")


@pytest.mark.parametrize("group", ["config", "connections", "history", "sandbox"])
def test_group_without_a_command_prints_its_help_on_stderr(tmp_path: Path, group: str) -> None:
    ran = nwchatctl(tmp_path, group)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"Usage: nwchatctl {group} [OPTIONS] COMMAND")


@pytest.mark.parametrize("words", [("deploy",), ("connections",), ("connections", "kick")])
def test_help_of_a_command_is_its_help(tmp_path: Path, words: tuple[str, ...]) -> None:
    ran, expected = nwchatctl(tmp_path, "help", *words), nwchatctl(tmp_path, *words, "--help")
    assert (ran.code, ran.out.strip(), ran.err) == (0, expected.out.strip(), "")
    data = json.loads(nwchatctl(tmp_path, "help", *words, "--json").out)
    assert (data["command"], data["help"]) == (" ".join(words), expected.out.strip())


@pytest.mark.parametrize(
    "argv",
    [
        ("--region", "eu-north-1", "config", "show", "--json"),
        ("config", "--region", "eu-north-1", "show", "--json"),
        ("config", "show", "--json", "--region", "eu-north-1"),
        ("config", "show", "--region=eu-north-1", "--json"),
        ("--region", "eu-west-1", "config", "show", "--json", "--region", "eu-north-1"),
    ],
)
def test_global_options_stand_anywhere(tmp_path: Path, argv: tuple[str, ...]) -> None:
    ran = nwchatctl(tmp_path, *argv)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["settings"]["aws"]["region"]["value"] == "eu-north-1"


def test_global_option_after_dashes_is_an_argument(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "help", "--", "--debug")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: there is no help topic or command '--debug'")


def test_color_holds_for_an_unknown_command(tmp_path: Path) -> None:
    plain, colored = (nwchatctl(tmp_path, "--color", when, "xyzzy").err for when in ("never", "always"))
    assert plain.startswith("error: ") and "\x1b[" in colored


def test_version(tmp_path: Path) -> None:
    from nwchatctl import __version__

    assert nwchatctl(tmp_path, "--version").out == f"nwchatctl {__version__}\n"


@pytest.mark.parametrize("topic", ["exit-codes", "config", "environment"])
def test_help_topics_are_a_contract(tmp_path: Path, topic: str) -> None:
    ran = nwchatctl(tmp_path, "-q", "--color", "never", "help", topic)
    assert (ran.code, ran.err) == (0, "")
    ran = nwchatctl(tmp_path, "help", topic)
    assert (ran.code, ran.out) == (0, (GOLDEN / "cli" / f"help-{topic}.tsv").read_text(encoding="utf-8"))


def test_no_configuration(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "config", "path")
    assert ran.code == 3
    assert ran.err == (
        f"error: there is no nwchat.toml in {tmp_path} or above it\n"
        "hint: run `nwchatctl init`, or give --config FILE\n"
    )


def test_a_bad_configuration(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").write_text("[stage]\nthrottle_raet = 1\n")
    ran = nwchatctl(tmp_path, "config", "show")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"error: {tmp_path}/nwchat.toml:2: unknown key stage.throttle_raet, did you mean throttle_rate?\n"
        "hint: nwchatctl help config lists every setting and its meaning\n"
    )


def test_a_bad_variable(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "config", "show", environ={"NWCHAT_CHAT": "x"})
    assert (ran.code, ran.out) == (3, "")
    assert "error: unknown variable NWCHAT_CHAT, did you mean NWCHAT_CHAT__NAME?\n" in ran.err


def test_config_show_says_where_from(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").write_text('[chat]\nname = "dojo"\n[tags]\nteam = "a"\npassword = "hunter2"\n')
    ran = nwchatctl(
        tmp_path, "--region", "us-east-2", "config", "show", environ={"NWCHAT_STAGE__NAME": "beta"}
    )
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert "aws.region\tus-east-2\tflag --region" in lines
    assert "stage.name\tbeta\tenv NWCHAT_STAGE__NAME" in lines
    assert f"chat.name\tdojo\tfile {tmp_path}/nwchat.toml" in lines
    assert 'aws.profile\t""\tdefault' in lines
    assert f"tags.password\t***\tfile {tmp_path}/nwchat.toml" in lines
    assert "hunter2" not in ran.out
    shown = json.loads(nwchatctl(tmp_path, "config", "show", "--json").out)
    assert shown["path"] == f"{tmp_path}/nwchat.toml"
    assert shown["settings"]["stage"]["throttle_rate"] == {"value": 100.0, "origin": "default"}
    assert nwchatctl(tmp_path, "config", "path").out == f"{tmp_path}/nwchat.toml\n"


@pytest.mark.parametrize(
    ("environ", "args", "colored"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
    ],
)
def test_colour(tmp_path: Path, environ: dict[str, str], args: list[str], colored: bool) -> None:
    ran = nwchatctl(tmp_path, *args, "config", "path", environ=environ)
    assert ran.err.startswith("\x1b[1;31merror:\x1b[0m " if colored else "error: ")


@pytest.mark.parametrize(("color", "colored"), [("never", False), ("always", True)])
def test_errors_of_the_command_line_have_the_colour_that_was_asked_for(
    tmp_path: Path, color: str, colored: bool
) -> None:
    environ = {"NO_COLOR": "1"} if colored else {"FORCE_COLOR": "1"}
    ran = nwchatctl(tmp_path, "--color", color, "nonsense", environ=environ)
    assert ran.err.startswith("\x1b[1;31merror:\x1b[0m " if colored else "error: ")


def test_closed_pipe_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nwchatctl", "help", "config"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env=environment(tmp_path),
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["help exit-codes", "--help", "help --help", "--version", "-q config show"])
@pytest.mark.parametrize(
    ("target", "reason"), [("/dev/full", "No space left on device"), ("&-", "stdout is closed")]
)
def test_output_that_cannot_be_written_is_an_error(
    tmp_path: Path, words: str, target: str, reason: str
) -> None:
    done = redirected(tmp_path, f"{words} >{target}")
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"error: the output cannot be written: {reason}\nhint: ")


@pytest.mark.parametrize(
    "words",
    [
        ("broadcast", b"Pr\xfcfung"),
        ("broadcast", "--as", b"\xfc", "x"),
        ("ban", "add", "--for", "1h", "--user", b"\xfc"),
        ("ban", "add", "--for", "1h", "--user", "x", "--reason", b"\xfc"),
        ("token", "issue", "7", "--name", b"\xfc"),
    ],
)
def test_arguments_that_are_not_utf_8_are_refused(tmp_path: Path, words: tuple[str | bytes, ...]) -> None:
    (tmp_path / "nwchat.toml").write_text('[chat]\nname = "dojo"\n')
    done = subprocess.run(
        [sys.executable, "-m", "nwchatctl", *words],
        env=environment(tmp_path, {"PYTHONUTF8": "1"}),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: an argument is not UTF-8\nhint: ")


def redirected(tmp_path: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    """Runs nwchatctl in a shell that redirects its stdout."""
    return subprocess.run(
        f"{shlex.quote(sys.executable)} -m nwchatctl {line}",
        shell=True,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        cwd=tmp_path,
        timeout=60,
        check=False,
    )


def test_closed_stdout_is_no_fault_of_a_command_that_prints_nothing(tmp_path: Path) -> None:
    done = redirected(tmp_path, "-q init --yes >&-")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "nwchat.toml").exists()


def test_help_into_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nwchatctl", "--help"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env=environment(tmp_path),
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", [("help",), ("help", "config"), ("config", "show"), ("policy", "deploy")])
def test_quiet_prints_what_is_asked_for(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "nwchat.toml").write_text('[chat]\nname = "dojo"\n[aws]\nregion = "eu-west-1"\n')
    more = ("--account", "111122223333") if words[0] == "policy" else ()
    quiet = nwchatctl(tmp_path, "-q", *words, *more)
    assert (quiet.code, quiet.err) == (0, "")
    assert quiet.out == nwchatctl(tmp_path, *words, *more).out != ""


@pytest.mark.parametrize("args", [["--help"], ["--version"]])
def test_informational_commands_are_fast(tmp_path: Path, args: list[str]) -> None:
    code = (
        "import sys\nfrom nwchatctl.cli import run\n"
        f"code = run({args!r})\n"
        "heavy = {'boto3', 'botocore', 'ministack', 'pydantic', 'rich', 'websockets'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_completion(tmp_path: Path) -> None:
    environ = {"_NWCHATCTL_COMPLETE": "complete_bash", "COMP_WORDS": "nwchatctl config sh", "COMP_CWORD": "2"}
    ran = nwchatctl(tmp_path, environ=environ)
    assert (ran.code, ran.out.split()) == (0, ["show"])
