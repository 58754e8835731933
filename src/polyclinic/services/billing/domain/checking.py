"""The check before a claim is sent: every rule is asked, and each says how it went.

Nothing is skipped in silence: a rule that does not apply says so, with the reason. What a rule
misses is named with the place where it is put right.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import msgspec

from polyclinic.services.billing.domain.claims import Finding
from polyclinic.services.billing.domain.payers import Rules, fits
from polyclinic.standards.x12.professional_claim import Claim, claim_faults, unwritable

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not-applicable"


@dataclass(frozen=True, slots=True)
class Checked:
    """All that the rules look at. `claim` is None while people or places are missing."""

    claim: Claim | None
    missing: tuple[tuple[str, str], ...]  # (place, sentence)
    rules: Rules
    day: date
    coverage_from: date | None
    coverage_until: date | None
    today: date


Rule = Callable[[Checked], Iterator[Finding]]


def check(what: Checked) -> tuple[Finding, ...]:
    """One finding at least for each rule, in the order of `RULES`."""
    found: list[Finding] = []
    for name, rule in RULES.items():
        said = list(rule(what))
        found.extend(msgspec.structs.replace(each, rule=name) for each in said)
        if not said:
            found.append(Finding(name, PASSED))
    return tuple(found)


def has_failed(findings: tuple[Finding, ...]) -> bool:
    return any(each.outcome == FAILED for each in findings)


def _fails(text: str, place: str) -> Finding:
    return Finding("", FAILED, text, place)


def _aside(text: str) -> Finding:
    return Finding("", NOT_APPLICABLE, text)


_INCOMPLETE = _aside("The claim is not complete yet.")


def _complete(what: Checked) -> Iterator[Finding]:
    for place, text in what.missing:
        yield _fails(text, place)


def _well_formed(what: Checked) -> Iterator[Finding]:
    """What the 837P itself asks of a claim: structure, identifiers, sums, dates."""
    if what.claim is None:
        yield _INCOMPLETE
        return
    faults = claim_faults(what.claim)
    unsaid = unwritable(what.claim) if not faults else None
    for fault in (*faults, *([unsaid] if unsaid else [])):
        yield _fails(fault.text, f"{fault.segment}{fault.element:02}")


def _covered(what: Checked) -> Iterator[Finding]:
    if what.coverage_from is None:
        yield _fails("The visit has no insurance.", "coverage")
    elif what.day < what.coverage_from or (
        what.coverage_until is not None and what.day > what.coverage_until
    ):
        yield _fails("The insurance was not in force on the day of the visit.", "coverage")


def _in_time(what: Checked) -> Iterator[Finding]:
    allowed, late = what.rules.timely_filing_days, (what.today - what.day).days
    if allowed is None:
        yield _aside("The payer names no last day.")
    elif late > allowed:
        yield _fails(f"The payer takes claims for {allowed} days; this is day {late}.", "day")


def _member(what: Checked) -> Iterator[Finding]:
    if not what.rules.member_id_pattern:
        yield _aside("The payer has no pattern for member numbers.")
    elif what.claim is None:
        yield _INCOMPLETE
    elif not fits(what.rules.member_id_pattern, what.claim.subscriber.member_id):
        yield _fails("The member number does not look like this payer's.", "coverage.member_id")


def _authorized(what: Checked) -> Iterator[Finding]:
    """Prior authorizations and referrals: both go out as the number of REF*G1."""
    asked = {*what.rules.prior_authorization, *what.rules.needs_referral}
    if not asked:
        yield _aside("The payer asks for no authorization.")
    elif what.claim is None:
        yield _INCOMPLETE
    elif not what.claim.prior_authorization:
        for n, line in enumerate(what.claim.lines, 1):
            if line.code in asked:
                text = f"Line {n} needs the payer's authorization; ask for its number."
                yield _fails(text, "prior_authorization")


def _units(what: Checked) -> Iterator[Finding]:
    if not what.rules.units_max:
        yield _aside("The payer limits no units.")
    elif what.claim is None:
        yield _INCOMPLETE
    else:
        for n, line in enumerate(what.claim.lines, 1):
            most = what.rules.units_max.get(line.code)
            if most is not None and line.units > most:
                yield _fails(f"The payer pays {most} units of line {n} a day.", f"lines[{n}]")


def _no_line_twice(what: Checked) -> Iterator[Finding]:
    """Payers deny the same service of the same day as a duplicate (CARC 18)."""
    if what.claim is None:
        yield _INCOMPLETE
        return
    seen: set[tuple[object, ...]] = set()
    for n, line in enumerate(what.claim.lines, 1):
        key = (line.code, line.modifiers, line.service_date)
        if key in seen:
            yield _fails(f"Line {n} is there twice; use units or a modifier.", f"lines[{n}]")
        seen.add(key)


RULES: dict[str, Rule] = {
    "complete": _complete,
    "well-formed": _well_formed,
    "covered": _covered,
    "in time": _in_time,
    "member number": _member,
    "authorized": _authorized,
    "units": _units,
    "no line twice": _no_line_twice,
}
