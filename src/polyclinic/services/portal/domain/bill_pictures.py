"""How a bill came about: a bar from charged to your share, each line as a sum in plain words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from polyclinic.services.portal.domain.bill_words import why_reduced, why_yours
from polyclinic.services.portal.domain.bills import Line

BAR_WIDTH = 1000
# What is there at all can be seen: about two pixels on a phone.
_NARROWEST = 10
_REDUCING = ("CO", "OA", "PI")


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the bar; `kind` is also the class of its colour and pattern."""

    kind: str
    words: str
    amount: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sum: what was added or taken off, and why; each reason with its amount.

    An amount of nothing needs no saying: the reason explains the whole step.
    """

    kind: str
    words: str
    amount: int
    why: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """Many lines added up."""

    charged: int
    pieces: tuple[Piece, ...]


def whole(lines: Sequence[Line]) -> Sum:
    """Where all that was charged went: to insurance, to nobody, to you."""
    paid = sum(each.paid for each in lines)
    amounts = {
        "insurance": ("Insurance paid", sum(each.insurance for each in lines)),
        "contract": ("Agreed reduction", sum(each.contract for each in lines)),
        "forgiven": ("We took off", sum(each.forgiven for each in lines)),
        "waiting": ("Insurance still decides", sum(each.waiting for each in lines)),
        "paid": ("You have paid", paid),
        "share": ("Left to pay" if paid else "Your share", sum(each.left for each in lines)),
    }
    charged = sum(each.charged for each in lines)
    shown = [(kind, words, n) for kind, (words, n) in amounts.items() if n > 0]
    # What is yours is said even if it is nothing: that is the news.
    pieces = _placed(shown)
    if not amounts["share"][1]:
        pieces += (Piece("share", amounts["share"][0], 0, BAR_WIDTH, 0),)
    return Sum(charged, pieces)


def _placed(shown: Sequence[tuple[str, str, int]]) -> tuple[Piece, ...]:
    total = sum(amount for _, _, amount in shown)
    if not total:
        return ()
    widths = [max(round(amount * BAR_WIDTH / total), _NARROWEST) for _, _, amount in shown]
    # What the narrow ones got beyond their part, the widest gives.
    widths[widths.index(max(widths))] -= sum(widths) - BAR_WIDTH
    made, x = list[Piece](), 0
    for (kind, words, amount), width in zip(shown, widths, strict=True):
        made.append(Piece(kind, words, amount, x, width))
        x += width
    return tuple(made)


def steps(line: Line) -> tuple[Step, ...]:
    """From what was charged down to what is left to pay."""
    return tuple(_down(line)) + tuple(_yours(line))


def _down(line: Line) -> list[Step]:
    found = [Step("charged", "Charged", line.charged)]
    if line.insurance:
        found.append(Step("insurance", "Your insurance paid", -line.insurance))
    if line.contract:
        why = _because(line, _REDUCING, why_reduced) or ((_sentence(why_reduced("45")), 0),)
        found.append(Step("contract", "Agreed reduction", -line.contract, why))
    if line.forgiven:
        found.append(
            Step("forgiven", "We took off", -line.forgiven, (("You need not pay it.", 0),))
        )
    if line.waiting:
        why = "Your insurance has not decided yet. You need not pay this now."
        found.append(Step("waiting", "Insurance still decides", -line.waiting, ((why, 0),)))
    return found


def _yours(line: Line) -> list[Step]:
    why = _because(line, ("PR",), why_yours)
    if not why and not line.insurance and not line.contract and not line.waiting and line.share:
        why = (("No insurance was billed for this.", 0),)
    found = [Step("share", "Your share", line.share, why)]
    if line.paid:
        found.append(Step("paid", "You have paid", -line.paid))
        found.append(Step("left", "Left to pay", line.left))
    return found


def _because(
    line: Line, groups: Sequence[str], say: Callable[[str], str]
) -> tuple[tuple[str, int], ...]:
    """The reasons of these groups, the largest first; those without words are left out."""
    sums: dict[str, int] = {}
    for each in line.why:
        if each.group in groups:
            sums[each.reason] = sums.get(each.reason, 0) + each.amount
    ordered = sorted(sums.items(), key=lambda each: -each[1])
    told = [(_sentence(say(reason)), n) for reason, n in ordered if n > 0 and say(reason)]
    # One reason for all of it needs no amount of its own.
    return tuple(told) if len(sums) > 1 else tuple((words, 0) for words, _ in told)


def _sentence(why: str) -> str:
    return f"{why[0].upper()}{why[1:]}." if why else ""
