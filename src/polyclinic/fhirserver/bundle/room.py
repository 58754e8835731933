"""What one answer to a Bundle may hold: beyond it, entries are told to ask on their own."""

from dataclasses import replace

from polyclinic.fhirserver.bundle.entries import Entry
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer, outcome
from polyclinic.fhirserver.rest.interactions import Interactions
from polyclinic.foundation.errors import Problem, TooLarge
from polyclinic.foundation.http import headers_of, status_of

ANSWER_MAX = 32 * 1024 * 1024  # as much as a request may hold


class TooMuchInOneAnswer(TooLarge):
    """The answer to this Bundle is full; ask for this entry on its own."""

    code = "too-costly"


class Room:
    """Counts the bytes of the entries' answers; only what will be shown is kept at all."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._left = ANSWER_MAX

    async def carry(
        self, interactions: Interactions, errand: Errand, entry: Entry, base: str
    ) -> Answer:
        """One entry for itself; what fails is an OperationOutcome in its place."""
        try:
            if self._left <= 0 and _only_looks(entry):
                raise TooMuchInOneAnswer
            return self.kept(entry, await interactions.carry(errand, entry.ask, base))
        except Problem as problem:
            return self.refused(problem)

    def kept(self, entry: Entry, answer: Answer) -> Answer:
        """The answer if there is room for it; what a write has done is said in any case."""
        shown = self._whole or entry.ask.method in ("GET", "HEAD")
        if not shown and answer.status < 400:
            return replace(answer, body=None)
        self._left -= len(answer.body or b"")
        if self._left >= 0:
            return answer
        if _only_looks(entry):
            raise TooMuchInOneAnswer
        return replace(answer, body=None)

    def refused(self, problem: Problem) -> Answer:
        """A refusal; one that has no more room for reasons is its status alone."""
        body = outcome(problem)
        self._left -= len(body)
        fits = self._left >= 0 or isinstance(problem, TooMuchInOneAnswer)
        return Answer(status_of(problem), body if fits else None, headers=headers_of(problem))


def _only_looks(entry: Entry) -> bool:
    return entry.ask.method in ("GET", "HEAD") or entry.ask.path[-1] == "_search"
