"""How the chat's names stand, for `deploy` and `status`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchatctl.aws.cloud import Live
    from nwchatctl.commands._chat import Planned
    from nwchatctl.deploy.addresses import Answer, ToCreate
    from nwchatctl.deploy.planner import Plan
    from nwchatctl.errors import ChatError


def to_create(found: Planned) -> tuple[ToCreate, ...]:
    """The records that somebody has to create, because DNS lives elsewhere; those that are known by now."""
    targets = found.cloud.domains.targets
    return tuple(
        record
        for answer in found.addresses.answers
        for record in answer.to_create(targets.get(answer.want.name, ("", ""))[0])
    )


def dns_json(found: Planned) -> list[dict[str, str]]:
    """The same for `--json`."""
    return [{"name": each.name, "type": each.type, "value": each.value} for each in to_create(found)]


def dns_lines(found: Planned) -> tuple[Line, ...]:
    """The same for a person."""
    return tuple(
        Line(f"where its DNS lives there has to be: {each.name} {each.type} {each.value}", Mark.HEAD)
        for each in to_create(found)
    )


def dns_notes(found: Planned) -> tuple[str, ...]:
    """What to do with them."""
    records = to_create(found)
    if not records:
        return ()
    apex = any(each.type == "ALIAS" for each in records)
    more = "; ALIAS is called ANAME or a flattened CNAME by some" if apex else ""
    said = ", ".join(f"{each.name} {each.type} {each.value}" for each in records)
    return (f"create where the name's DNS lives, if it is not there: {said}{more}",)


def unread_names(live: Live) -> tuple[str, ...]:
    """A warning where it is not known what names the chat has, and none is configured."""
    if not live.facts.denied:
        return ()
    return (
        "names that the chat had before cannot be seen, nor removed: GetDomainNames is denied; attach "
        "docs/operator-policy.json as it is now",
    )


def waits(plan: Plan) -> tuple[Line, ...]:
    """What takes long, said before it begins."""
    from nwchatctl.deploy.changes import Create, Update
    from nwchatctl.deploy.domains import ISSUED
    from nwchatctl.deploy.model.names import Certificate

    names = []
    for each in plan.changes:
        match each:
            case Create(Certificate(name=name)):
                names.append(name)
            case Update(Certificate(name=name, status=status)) if status != ISSUED:
                names.append(name)
            case _:
                pass
    said = "is waited for until ACM has validated it, which takes minutes"
    return tuple(Line(f"the certificate for {each} {said}", Mark.DIM) for each in names)


def name_rows(found: Planned) -> Iterator[tuple[str, str]]:
    """Label and words about each name's certificate, domain and DNS."""
    for answer in found.addresses.answers:
        name = answer.want.name
        yield f"certificate {name}", _certificate(answer)
        yield f"domain {name}", _domain(answer)
        yield f"dns {name}", _dns(answer, found)


def problem_lines(found: Planned) -> tuple[Line, ...]:
    """What is in the way of the names, and its mend."""
    return tuple(
        Line(f"{words}{text}", Mark.BAD)
        for each in found.addresses.problems
        for words, text in (("problem: ", each.message), ("  to mend it: ", each.hint))
    )


def problems_json(found: Planned) -> list[dict[str, str]]:
    """The same for `--json`."""
    return [_problem(each) for each in found.addresses.problems]


def _problem(each: ChatError) -> dict[str, str]:
    return {"code": each.code, "message": each.message, "hint": each.hint}


def _certificate(answer: Answer) -> str:
    from nwchatctl.commands._times import local

    found = answer.certificate
    if found is None:
        return "to be requested"
    until = f"until {local(found.not_after_ms)}" if found.not_after_ms else found.status.lower()
    return f"{answer.source}, {until}"


def _domain(answer: Answer) -> str:
    if answer.domain is None:
        return "missing"
    leads = "" if answer.mapped else ", leads nowhere yet"
    return f"{answer.domain.status.lower()}{leads}"


def _dns(answer: Answer, found: Planned) -> str:
    from nwchatctl.deploy.changes import changed_key

    if not answer.zone:
        return "elsewhere"
    changed = {changed_key(each) for each in found.plan.changes}
    wanted = {(each.kind, each.name) for each in answer.resources if each.kind == "record"}
    return f"alias {'differs' if wanted & changed else 'ok'} in hosted zone {answer.zone}"
