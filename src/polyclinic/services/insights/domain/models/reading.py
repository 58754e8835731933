"""A model from bytes and back; what is malformed, changed or of another version is refused."""

import hashlib
import json
import math
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.models.values import Curve, Joined, Line, Model, Table

FORMAT = "polyclinic-model/1"
BYTES_MAX = 4 << 20
DEGREE_MAX = 5


class BadModel(Invalid):
    """This is no model that can be read."""


def load(content: bytes) -> Model:
    """The model in canonical or other JSON; raises BadModel with the place of what is wrong.

    Refused: more than 4 MiB, another format or form (trees), unknown members, numbers that are not
    finite, tables and curves of a wrong size, features that are not declared, a wrong digest.
    """
    if len(content) > BYTES_MAX:
        raise BadModel(f"A model has at most {BYTES_MAX} bytes.", place="$")
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadModel("This is not JSON.", place="$") from error
    _known_format(said)
    try:
        model = msgspec.convert(said, Model)
    except msgspec.ValidationError as error:
        text = str(error)
        found = re.search(r"`(\$[^`]*)`", text)
        raise BadModel(text.partition(" - at")[0], place=found[1] if found else "$") from error
    if model.digest != _digest(said):
        raise BadModel("The content does not have the digest that it names.", place="$.digest")
    check(model)
    return model


def dump(model: Model) -> bytes:
    """Canonical JSON (sorted, no spaces) with its digest; raises BadModel as `load` does."""
    check(model)
    # A whole number becomes the float that reading makes of it: one model, one digest.
    said = msgspec.to_builtins(msgspec.convert(msgspec.to_builtins(model), Model))
    return _canonical(said | {"digest": _digest(said)})


def _known_format(said: Any) -> None:
    if not isinstance(said, dict):
        raise BadModel("A model is an object.", place="$")
    if said.get("format") != FORMAT:
        raise BadModel(f"The format is not {FORMAT}.", place="$.format")
    if said.get("form", "additive") != "additive":
        raise BadModel("Only additive models are read, no trees.", place="$.form")


def _canonical(said: Any) -> bytes:
    try:
        return json.dumps(
            said, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
        ).encode()
    except ValueError as error:
        raise BadModel("A number is not finite.", place="$") from error


def _digest(said: dict[str, Any]) -> str:
    rest = {name: value for name, value in said.items() if name != "digest"}
    return "sha256:" + hashlib.sha256(_canonical(rest)).hexdigest()


def check(model: Model) -> None:
    """Raises BadModel where the parts do not fit together."""
    kinds = {each.name: each.kind for each in model.features}
    if len(kinds) != len(model.features):
        raise BadModel("Two features have one name.", place="$.features")
    if not math.isfinite(model.base) or not 0 < model.horizon_days < math.inf:
        raise BadModel("The base is finite and the horizon above 0.", place="$.base")
    for number, term in enumerate(model.terms):
        place = f"$.terms[{number}]"
        if isinstance(term, Curve):
            _check_curve(term, kinds, place)
        else:
            _check_table(term, kinds, place)
    _check_calibration(model.calibration)


def _check_curve(term: Curve, kinds: dict[str, str], place: str) -> None:
    if kinds.get(term.feature) != "number":
        raise BadModel("There is no such number among the features.", place=f"{place}.feature")
    if not 1 <= term.degree <= DEGREE_MAX or len(term.weights) <= term.degree:
        raise BadModel("A degree is 1 to 5, and has as many weights.", place=f"{place}.degree")
    if len(term.knots) != len(term.weights) + term.degree + 1:
        raise BadModel("Knots are weights + degree + 1.", place=f"{place}.knots")
    _ascending(term.knots, f"{place}.knots", strictly=False)
    if not term.knots[term.degree] < term.knots[len(term.weights)]:
        raise BadModel("The inner knots leave no room.", place=f"{place}.knots")
    _finite((*term.weights, term.missing), f"{place}.weights")


def _check_table(term: Table, kinds: dict[str, str], place: str) -> None:
    if not 1 <= len(term.axes) <= 2:
        raise BadModel("A table has one axis or two.", place=f"{place}.axes")
    for axis in term.axes:
        wanted = "number" if axis.edges is not None else "code"
        if kinds.get(axis.feature) != wanted or (axis.edges is None) == (axis.codes is None):
            raise BadModel("An axis has edges of a number or codes.", place=f"{place}.axes")
        _ascending(axis.edges or (), f"{place}.axes", strictly=True)
        if len(set(axis.codes or ())) != len(axis.codes or ()):
            raise BadModel("A code stands twice.", place=f"{place}.axes")
    if len(term.values) != math.prod(axis.places for axis in term.axes):
        raise BadModel("A table has a value for each place.", place=f"{place}.values")
    _finite(term.values, f"{place}.values")


def _check_calibration(calibration: Line | Joined) -> None:
    place = "$.calibration"
    if isinstance(calibration, Line):
        _finite((calibration.intercept, calibration.slope), place)
        if calibration.slope <= 0:
            raise BadModel("A calibration never turns the order around.", place=place)
        return
    if not calibration.before or len(calibration.before) != len(calibration.after):
        raise BadModel("Joined points are pairs, at least one.", place=place)
    _ascending(calibration.before, place, strictly=True)
    _ascending(calibration.after, place, strictly=False)


def _finite(numbers: Iterable[float], place: str) -> None:
    if not all(math.isfinite(each) for each in numbers):
        raise BadModel("A number is not finite.", place=place)


def _ascending(numbers: tuple[float, ...], place: str, *, strictly: bool) -> None:
    _finite(numbers, place)
    if any(low > high or (strictly and low == high) for low, high in pairwise(numbers)):
        raise BadModel("These numbers ascend.", place=place)
