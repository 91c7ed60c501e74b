"""README's crontab works as it stands, in the environment that cron gives its jobs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from nwchatctl.config.template import template
from tests.e2e.support.chat import Chat
from tests.paths import ROOT

JOB = re.compile(r"((?:[\d*/,-]+ ){5}) *(.+)")


def crontab() -> tuple[dict[str, str], list[str]]:
    """The variables and the commands of the crontab in README."""
    (text,) = (each for each in (ROOT / "README.md").read_text().split("```\n") if "* * *" in each)
    lines = [each for each in text.splitlines() if each]
    jobs = [found for each in lines if (found := JOB.fullmatch(each))]
    variables = dict(each.split("=", 1) for each in lines if not JOB.fullmatch(each))
    # cron ends the command at a % without a backslash (crontab(5)).
    assert not any(re.search(r"(?<!\\)%", job[2]) for job in jobs)
    return variables, [job[2].replace("\\%", "%") for job in jobs]


def cron_runs(command: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as cron does, where only HOME and a short PATH are set."""
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=home,
        env={"HOME": str(home), "LOGNAME": "ops", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_every_line_succeeds_in_silence(chat: Chat, tmp_path: Path) -> None:
    names = [name for name in chat.environ if name.startswith("NWCHAT_") and "SANDBOX" not in name]
    settings = {name.removeprefix("NWCHAT_").lower().replace("__", "."): chat.environ[name] for name in names}
    config, backup = tmp_path / "nwchat.toml", tmp_path / "chat.jsonl"
    config.write_text(template(settings))
    written, commands = crontab()
    assert {"N", "NWCHAT_CONFIG"} <= written.keys()
    assert len(commands) == 4
    variables = {
        **written,
        "NWCHAT_CONFIG": str(config),
        "N": script(tmp_path / "nwchatctl", f'exec "{sys.executable}" -m nwchatctl "$@"'),
        "PYTHONPATH": str(ROOT),
        **{name: text for name, text in chat.environ.items() if "SANDBOX" in name},
    }
    for command in commands:
        here = command.replace("/var/backups/chat.jsonl", f"'{backup}'").replace("ninjawars", chat.name)
        done = cron_runs(here, tmp_path, **variables)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
    assert backup.exists()


def test_nothing_is_trimmed_after_an_export_that_failed(tmp_path: Path) -> None:
    (chain,) = (each for each in crontab()[1] if "trim" in each)
    program = script(tmp_path / "n", f'echo "$@" >> "{tmp_path}/calls"; exit 1')
    assert cron_runs(chain, tmp_path, N=program).returncode == 1
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("-q history export --resume")
