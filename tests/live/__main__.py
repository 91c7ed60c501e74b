"""`make live PROFILE=… REGION=…`: answers the open questions about AWS on an account. See CONTRIBUTING.md.

It creates IAM users with exactly the policies of `nwchatctl policy`, deploys a chat, measures, and removes
everything it made. With --sandbox, the running sandbox is the target.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from nwchatctl import __version__, private_files
from nwchatctl.signals import raise_on_signals
from tests.live import cost, journal, report
from tests.live.journal import JournalBusy
from tests.live.leftovers import Account, is_expired, of_run, remove
from tests.live.question_list import QUESTIONS
from tests.live.questions import CONTRADICTS, NOT_MEASURED, Verdict, judge
from tests.live.run import Run
from tests.live.steps import LEFT_OUT, STEPS, measure
from tests.live.target import Target, TargetError, aws_target, sandbox_target

RUN_SECONDS, QUICK_SECONDS = 1800.0, 900.0
"""The longest that the measurements may take; most of it is the wait for point-in-time recovery."""

OK, CONTRADICTED, FAILED, DECLINED, INTERRUPTED = 0, 5, 1, 7, 130


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        with raise_on_signals():
            return _main(options)
    except (TargetError, JournalBusy) as error:
        _say(f"error: {error}")
    except (BotoCoreError, ClientError) as error:
        _say(f"error: {report.redact(str(error))}")
    except KeyboardInterrupt:
        _say("stopped")
        return INTERRUPTED
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make live", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--profile", default="", help="profile of an administrator in ~/.aws/config")
    where.add_argument("--sandbox", action="store_true", help="measure the running sandbox instead of AWS")
    parser.add_argument("--region", default="", help="the profile's Region without it")
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--only", action="append", choices=[each.name for each in STEPS], help="one step")
    parser.add_argument("--yes", action="store_true", help="do not ask first")
    parser.add_argument("--clean", action="store_true", help="only remove what earlier runs have left")
    parser.add_argument("--report", type=Path, default=Path("live-report.md"), help="live-report.md")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "nwchatctl"
    parser.add_argument("--journal", type=Path, default=state / "live.jsonl", help=f"{state / 'live.jsonl'}")
    return parser


def _main(options: argparse.Namespace) -> int:
    target = sandbox_target(os.environ) if options.sandbox else aws_target(options.profile, options.region)
    if not options.yes and not _agreed(target, options):
        return DECLINED
    location = target.location
    name = journal.target_name(location.region, location.account, location.sandbox_url)
    with (
        journal.opened(options.journal, name, _say) as opened,
        tempfile.TemporaryDirectory(prefix="nwchat-live-") as home,
    ):
        _remove_earlier(target, opened)
        if options.clean:
            return OK
        deadline = time.monotonic() + _seconds(options)
        run = Run(target, opened, Path(home), deadline, _say, is_quick=options.quick)
        return _measure_and_report(run, options)


def _measure_and_report(run: Run, options: argparse.Namespace) -> int:
    """Measures, removes everything, and writes the report, whatever happens in between."""
    began, started = time.monotonic(), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    run.journal.note(run.id, expires=run.expires)
    try:
        measure(run, options.only)
    finally:
        _say(f"removing everything that run {run.id} made")
        left = _remove_own(run)
        made = _report(run, left, time.monotonic() - began, started, options.only)
        text = report.as_markdown(made).encode()
        private_files.replace(options.report.absolute(), lambda file: file.write(text))
        _say(report.redact(report.summary(made.verdicts)))
        for each in left:
            _say(f"not removed: {report.redact(each)}; run it again with --clean")
        _say(f"report: {options.report}")
    return FAILED if left else exit_code(made.verdicts)


def _remove_own(run: Run) -> list[str]:
    """Removes everything of the run; what is left, with the reason."""
    try:
        left = remove(Account(run.client), of_run(run.id), _say)
    except (ClientError, BotoCoreError) as error:
        return [f"everything of run {run.id}: {error}"]
    if not left:
        run.journal.note(run.id, done=True)
    return left


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """5 where an answer is not as expected, 1 where a question could not be measured, otherwise 0. Pure."""
    if any(each.outcome == CONTRADICTS for each in verdicts):
        return CONTRADICTED
    missing = [each for each in verdicts if each.outcome == NOT_MEASURED and each.reason != LEFT_OUT]
    return FAILED if missing else OK


def _report(
    run: Run, left: list[str], seconds: float, started: str, only: list[str] | None
) -> report.RunReport:
    verdicts = [
        judge(each, run.answers.get(each.id), run.target.rules, run.reasons.get(each.id, ""))
        for each in QUESTIONS
    ]
    if only:
        verdicts = [each for each in verdicts if each.outcome != NOT_MEASURED]
    return report.RunReport(
        run.target.name,
        run.target.location.region,
        started,
        {"nwchatctl": __version__, "botocore": version("botocore")},
        verdicts,
        run.durations,
        seconds,
        cost.expected_dollars(),
        left,
        {
            "connection ids": run.shared.get("id form", {}),
            "seconds until a closed connection is gone": run.shared.get("closed after"),
        },
    )


def _remove_earlier(target: Target, opened: journal.Journal) -> None:
    """Removes what runs of this machine have left, and expired resources of others. Raises TargetError."""
    account = Account(target.client)
    for run in opened.unfinished():
        _say(f"removing what run {run} left, which did not end")
        if left := remove(account, of_run(run), _say):
            raise TargetError(f"run {run} left what cannot be removed: {report.redact('; '.join(left))}")
        opened.note(run, done=True)
    others = [each for each in account.leftovers() if is_expired(each)]
    if others:
        _say(f"removing {len(others)} resources of expired runs: {', '.join(map(str, others))}")
        runs = {each.run for each in others}
        remove(account, lambda each: each.run in runs and is_expired(each), _say)


def _agreed(target: Target, options: argparse.Namespace) -> bool:
    """Says what the run will do and asks; False where it is declined or cannot be asked."""
    what = "remove what earlier runs have left" if options.clean else "create, measure and remove"
    _say(f"target: {target.name}, Region {target.location.region}; it will {what}:")
    for each in STEPS:
        _say(f"  {each.name}: {each.makes}")
    _say(
        f"expected cost: ${cost.expected_dollars():.3f}, at most ${cost.MAX_DOLLARS:.2f} "
        "(prices of us-east-1, September 2026, without the free tier)"
    )
    minutes = _seconds(options) / 60
    _say(f"about ten minutes, at most {minutes:.0f} and the removal; then it writes {options.report}")
    if not sys.stdin.isatty():
        _say("error: nobody can be asked, because the input is no terminal; give --yes")
        return False
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _seconds(options: argparse.Namespace) -> float:
    return QUICK_SECONDS if options.quick else RUN_SECONDS


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
