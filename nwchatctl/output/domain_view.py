"""How the chat's domains read: certificate, domain name, DNS, and the records to create elsewhere."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from nwchatctl.report import Line, Mark
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from nwchatctl.deploy.domains.facts import DomainFacts
    from nwchatctl.deploy.domains.plan import DnsRecordToCreate, DomainPlan
    from nwchatctl.deploy.model.state import Key
    from nwchatctl.errors import ChatError


def dns_json(records: Sequence[DnsRecordToCreate]) -> list[dict[str, str]]:
    """The records to create where the DNS is hosted elsewhere, for `--json`."""
    return [{"name": each.name, "type": each.type, "value": each.value} for each in records]


def dns_lines(records: Sequence[DnsRecordToCreate]) -> tuple[Line, ...]:
    """The same for a person."""
    return tuple(
        Line(f"where its DNS lives there has to be: {each.name} {each.type} {each.value}", Mark.HEAD)
        for each in records
    )


def dns_notes(records: Sequence[DnsRecordToCreate]) -> tuple[str, ...]:
    """What to do with them."""
    if not records:
        return ()
    apex = any(each.type == "ALIAS" for each in records)
    more = "; ALIAS is called ANAME or a flattened CNAME by some" if apex else ""
    listed = ", ".join(f"{each.name} {each.type} {each.value}" for each in records)
    return (f"create where the name's DNS lives, if it is not there: {listed}{more}",)


def unread_domains(facts: DomainFacts) -> tuple[str, ...]:
    """A warning where it is not known what names the chat has, and none is configured."""
    if not facts.denied:
        return ()
    return (
        "names that the chat had before cannot be seen, nor removed: GetDomainNames is denied; attach "
        "the policy that `nwchatctl policy deploy` prints",
    )


def certificate_wait_lines(names: Iterable[str]) -> tuple[Line, ...]:
    """A line before a deploy for each certificate that ACM still has to validate."""
    text = "is waited for until ACM has validated it, which takes minutes"
    return tuple(Line(f"the certificate for {each} {text}", Mark.DIM) for each in names)


def domain_rows(plans: Iterable[DomainPlan], changed: Container[Key]) -> Iterator[tuple[str, str]]:
    """Label and text about the certificate, the domain name and the DNS of each domain; `changed` has the
    keys of the resources that differ. The labels have no blanks, and each is there once."""
    for plan in plans:
        name = plan.config.name
        api = "history" if plan.config.section == "history" else "chat"
        yield f"{api}_cert", f"{name}: {_certificate(plan)}"
        yield f"{api}_domain", f"{name}: {_domain(plan)}"
        yield f"{api}_dns", f"{name}: {_dns(plan, changed)}"


def problem_lines(problems: Iterable[ChatError]) -> tuple[Line, ...]:
    """What is in the way of the names, and its mend."""
    return tuple(
        Line(f"{words}{text}", Mark.BAD)
        for each in problems
        for words, text in (("problem: ", each.message), ("  to mend it: ", each.hint))
    )


def problems_json(problems: Iterable[ChatError]) -> list[dict[str, str]]:
    """The same for `--json`."""
    return [{"code": each.code, "message": each.message, "hint": each.hint} for each in problems]


def _certificate(plan: DomainPlan) -> str:
    found = plan.certificate
    if found is None:
        return "to be requested"
    until = f"until {local(found.not_after_ms)}" if found.not_after_ms else found.status.lower()
    return f"{plan.source}, {until}"


def _domain(plan: DomainPlan) -> str:
    if plan.domain is None:
        return "missing"
    leads = "" if plan.mapped else ", leads nowhere yet"
    return f"{plan.domain.status.lower()}{leads}"


def _dns(plan: DomainPlan, changed: Container[Key]) -> str:
    if not plan.zone:
        return "elsewhere"
    differs = any((each.kind, each.name) in changed for each in plan.resources if each.kind == "record")
    return f"alias {'differs' if differs else 'ok'} in hosted zone {plan.zone}"
