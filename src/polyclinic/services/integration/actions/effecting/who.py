"""Finds who is meant: charts by number, then by details; asks people where it is not sure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polyclinic.services.integration.actions.effecting import waking
from polyclinic.services.integration.actions.effecting.work import Found, Resource, Waits, Work
from polyclinic.services.integration.domain import matching, naming
from polyclinic.services.integration.domain.intents import Identifier, Person
from polyclinic.services.integration.domain.matching import Verdict
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.store import matching as rows

FOLLOWED_MAX = 8
SAID = {
    "identifiers of several": "The numbers in the message are those of several people.",
    "identifier contradicted": "Somebody has this number, and name or birth date contradict it.",
    "identifier alone": "Somebody has this number, and nothing else says that it is them.",
    "details alike": "Somebody here may be the person in the message: somebody must decide.",
    "unknown": "Nobody here is the person in the message, and this channel makes no new people.",
}


@dataclass(slots=True)
class _Charts:
    """Charts that go on, by name, and the numbers that name each besides its own."""

    charts: dict[str, Resource] = field(default_factory=dict[str, Resource])
    # Of charts that were given up for it: they stay there, so that the two can be parted again.
    given_up: dict[str, list[Resource]] = field(default_factory=dict[str, list[Resource]])
    learnt: dict[str, list[Resource]] = field(default_factory=dict[str, list[Resource]])

    def to_judge(self) -> dict[str, Resource]:
        found: dict[str, Resource] = {}
        for name, chart in self.charts.items():
            more = [*self.given_up.get(name, ()), *self.learnt.get(name, ())]
            found[name] = {**chart, "identifier": [*chart.get("identifier", ()), *more]}
        return found

    def found(self, name: str) -> Found:
        given_up = _pairs(self.given_up.get(name, ()))
        learnt = _pairs(self.learnt.get(name, ()))
        return Found(name, self.charts[name], given_up, given_up | learnt)


def _pairs(numbers: Sequence[Resource]) -> frozenset[tuple[Any, Any]]:
    return frozenset((each.get("system"), each.get("value")) for each in numbers)


async def find(work: Work, person: Person, *, may_create: bool) -> Found:
    """Who is meant; raises Waits with a question for people."""
    who = work.who(person)
    if who not in work.found:
        work.found[who] = await _find(work, person, who, may_create=may_create)
    work.patients[work.found[who].patient] = None
    return work.found[who]


async def _find(work: Work, person: Person, who: bytes, *, may_create: bool) -> Found:
    hashes = work.numbers(matching.usable(person.identifiers))
    told, numbers = await rows.told_and_known(work.running.database, who, hashes)
    known = await _charts(work, person, told, numbers)
    verdict = matching.decide(person, known.to_judge(), told)
    if verdict.kind == "none" and "" not in told:
        await _add_alike(work, person, known)
        verdict = matching.decide(person, known.to_judge(), told)
    if verdict.kind == "doubt":
        await _ask(work, who, verdict)
    if verdict.kind == "none":
        if not may_create and "" not in told:
            await waking.await_(work, *work.numbers(matching.usable(person.identifiers)))
            await _ask(work, who, Verdict("doubt", reason="unknown", judged=verdict.judged))
        return Found(_new(work, person, known.charts.keys() | told.keys()), None)
    return known.found(verdict.patient)


def _new(work: Work, person: Person, taken: Any) -> str:
    """The name of a chart that is to be made: of the first number, unless it is somebody else's."""
    for each in matching.usable(person.identifiers):
        name = f"Patient/{naming.person_id(each.system, each.value)}"
        if name not in taken:
            return name
    return f"Patient/{naming.nameless_id(work.message)}"


async def learn(work: Work, person: Person, found: Found) -> None:
    """From now on these numbers name this patient; those of a chart given up stay that chart's."""
    numbers = [
        each
        for each in matching.usable(person.identifiers)
        if (each.system, each.value) not in found.learnt
    ]
    hashes = work.numbers(numbers)
    await rows.learn(work.running.database, hashes, found.patient, work.message)
    await waking.wake(work, hashes)


async def by_number(work: Work, person: Person) -> dict[str, Resource]:
    """Charts with one of these numbers as they are, given up ones too."""
    numbers = matching.usable(person.identifiers)
    known = await rows.known(work.running.database, work.numbers(numbers))
    wanted = {(each.system, each.value) for each in numbers}
    found = await _seen(work, numbers, known.values())
    return {
        name: chart
        for name, chart in found.items()
        if name in known.values()
        or any((n.system, n.value) in wanted for n in matching.identifiers_of(chart))
    }


async def _charts(
    work: Work, person: Person, told: Mapping[str, str], known: Mapping[bytes, str]
) -> _Charts:
    """Charts that have one of the numbers, or that people named; each as its last successor."""
    numbers = matching.usable(person.identifiers)
    named = [*known.values(), *(patient for patient, word in told.items() if word == "same")]
    found = _Charts()
    successors = await _follow(work, await _seen(work, numbers, named), found)
    for each in numbers:
        patient = known.get(work.number(each))
        if patient in successors:
            number = {"system": each.system, "value": each.value}
            found.learnt.setdefault(successors[patient], []).append(number)
    return found


async def _seen(work: Work, numbers: Sequence[Identifier], named: Any) -> dict[str, Resource]:
    tokens = ",".join(
        f"{records.escaped(each.system)}%7C{records.escaped(each.value)}" for each in numbers
    )
    names = [each for each in dict.fromkeys(named) if each]
    urls = [
        *names,
        *([f"Patient?identifier={tokens}&_count={records.FOUND_MAX}"] if tokens else ()),
    ]
    seen = await records.look(work.running, urls)
    found = [each for each in seen[: len(names)] if each is not None]
    if tokens:
        found += records.matches(seen[-1])
    return {f"Patient/{each['id']}": each for each in found}


async def _follow(work: Work, charts: Mapping[str, Resource], into: _Charts) -> dict[str, str]:
    """Charts that were given up stand for those that go on; answers whom each stands for."""
    successors: dict[str, str] = {}
    for name, chart in charts.items():
        latest = chart
        for _ in range(FOLLOWED_MAX):
            successor = _successor(latest)
            if successor is None:
                break
            read = charts.get(successor) or (await records.look(work.running, [successor]))[0]
            if read is None:
                break
            latest = read
        last = successors[name] = f"Patient/{latest['id']}"
        into.charts[last] = latest
        if last != name:
            into.given_up.setdefault(last, []).extend(chart.get("identifier", ()))
    return successors


async def stands_for(work: Work, name: str) -> str:
    """The chart that goes on where this one was given up for another; else its own name."""
    (chart,) = await records.look(work.running, [name])
    if chart is None:
        return name
    return (await _follow(work, {name: chart}, _Charts()))[name]


def _successor(chart: Resource) -> str | None:
    for link in chart.get("link", ()):
        if link.get("type") == "replaced-by":
            return link.get("other", {}).get("reference")
    return None


async def _add_alike(work: Work, person: Person, known: _Charts) -> None:
    """Charts whose name or birth date is that of the message."""
    family, given = _first_name(person)
    born = str(person.resource.get("birthDate") or "")
    pairs = [
        [("family", family), ("birthdate", born)],
        [("given", given), ("birthdate", born)],
        [("family", family), ("given", given)],
    ]
    urls = [
        "Patient?" + "&".join(f"{name}={records.escaped(value)}" for name, value in pair)
        + f"&_count={records.FOUND_MAX}"
        for pair in pairs
        if all(value for _, value in pair)
    ]  # fmt: skip
    seen = await records.look(work.running, urls)
    found = {f"Patient/{each['id']}": each for page in seen for each in records.matches(page)}
    await _follow(work, found, known)


def _first_name(person: Person) -> tuple[str, str]:
    for name in person.resource.get("name") or ():
        given = name.get("given") or [""]
        if name.get("family"):
            return str(name["family"]), str(given[0] or "")
    return "", ""


async def _ask(work: Work, who: bytes, verdict: Verdict) -> None:
    """Puts the question with the likeliest charts beside it, and has the message wait."""
    shown = [each for each in verdict.judged if each.score > 0 or each.has_number][:10]
    candidates = [
        (each.patient, each.score,
         ",".join(f"{name}: {like.value}" for name, like in each.likes.items()))
        for each in shown
    ]  # fmt: skip
    database = work.running.database
    await rows.ask(database, work.message, who, verdict.reason, candidates)
    queue = waking.UNKNOWN if verdict.reason == "unknown" else "person"
    raise Waits(queue, SAID[verdict.reason])
