"""Scores that are sums of points, and how each point is shown as a reason."""

from collections.abc import Callable, Iterable, Mapping

from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome, Reason


def by_flags(weights: Mapping[str, float], output: str = "score") -> Callable[[Inputs], Outcome]:
    """A formula that adds a weight for each input that is true."""

    def formula(inputs: Inputs) -> Outcome:
        return summed(
            {name: weight * bool(inputs[name]) for name, weight in weights.items()}, output
        )

    return formula


def by_items(names: Iterable[str], output: str = "score") -> Callable[[Inputs], Outcome]:
    """A formula that adds scored answers."""
    wanted = tuple(names)

    def formula(inputs: Inputs) -> Outcome:
        return summed({name: float(inputs[name]) for name in wanted}, output)

    return formula


def summed(points: Mapping[str, float], output: str = "score", band: str | None = None) -> Outcome:
    """The sum, with every input that added (or took) something as a reason."""
    reasons = tuple(Reason(name, point, "points") for name, point in points.items() if point)
    return Outcome({output: float(sum(points.values()))}, reasons, band)


def stepped(number: float, steps: Iterable[tuple[float, float]], beyond: float) -> float:
    """The points of the first step whose upper end holds the number, else `beyond`."""
    return next((points for upper, points in steps if number <= upper), beyond)
