"""Merges that other systems tell of: only of the same register, never in a circle."""

from polyclinic.services.integration.actions.effecting import who
from polyclinic.services.integration.actions.effecting.work import Found, Resource, Waits, Work
from polyclinic.services.integration.domain import matching
from polyclinic.services.integration.domain.intents import Merge, Person, Unmerge
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.gateways.asking import Refused
from polyclinic.services.integration.store import matching as rows


async def join(work: Work, intent: Merge | Unmerge) -> None:
    """Records joins or parts the two charts; raises Waits for what a person must look at."""
    _check_registers(intent)
    loser, winner = await _chart(work, intent.loser), await _chart(work, intent.winner)
    if winner is None:
        raise Waits("merge", "The record that goes on is not known here.")
    if loser is None:
        await _name_winner(work, intent, winner)
        return
    names = (f"Patient/{winner['id']}", f"Patient/{loser['id']}")
    work.patients.update(dict.fromkeys(names))
    if names[0] == names[1]:
        work.did(names[0], "unchanged", str(records.version_of(winner)))
        return
    is_apart = isinstance(intent, Unmerge)
    if not is_apart:
        await _check_alike(work, intent, winner, loser)
    try:
        await records.merge(work.running, *names, f"merge/{work.message}", apart=is_apart)
    except Refused as refused:
        text = "Records does not join these two: one of them was joined with another before."
        raise Waits("merge", text) from refused
    for name in names:
        work.did(name, "updated")


def _check_registers(intent: Merge | Unmerge) -> None:
    """A number of another register cannot be given up here: it may be anybody's."""
    registers = [
        {each.system for each in matching.usable(person.identifiers)}
        for person in (intent.winner, intent.loser)
    ]
    if not registers[0] & registers[1]:
        raise Waits("merge", "The two numbers are of different registers.")


async def _chart(work: Work, person: Person) -> Resource | None:
    """The one chart with one of these numbers, whether it was given up or not."""
    found = await who.by_number(work, person)
    if len(found) > 1:
        raise Waits("merge", "The numbers of one of the two are those of several people.")
    return next(iter(found.values()), None)


async def _name_winner(work: Work, intent: Merge | Unmerge, winner: Resource) -> None:
    """Nobody has the number that is given up: from now on it names the one that goes on."""
    if isinstance(intent, Merge):
        await who.learn(work, intent.loser, Found(f"Patient/{winner['id']}", winner))
    work.patients[f"Patient/{winner['id']}"] = None
    work.did(f"Patient/{winner['id']}", "unchanged", str(records.version_of(winner)))


async def _check_alike(work: Work, intent: Merge, winner: Resource, loser: Resource) -> None:
    """Another first name and another birth date are two people, until a person says otherwise."""
    judged = matching.judge(
        Person(matching.identifiers_of(loser), loser), f"Patient/{winner['id']}", winner
    )
    different = matching.differing(judged)
    if not {"given", "birth date"} <= different:
        return
    question = work.who(intent.loser)
    told = await rows.told(work.running.database, question)
    if told.get(f"Patient/{winner['id']}") == "same":
        return
    shown = (
        judged.patient,
        judged.score,
        ",".join(f"{n}: {v.value}" for n, v in judged.likes.items()),
    )
    await rows.ask(work.running.database, work.message, question, "merge of two people", [shown])
    raise Waits("merge", "The two charts have different first names and birth dates.")
