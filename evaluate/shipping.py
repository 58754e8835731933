"""What is shipped: the chosen procedure carried out on all cases of its data; of trees nothing."""

from pathlib import Path
from typing import Any

import numpy as np

from evaluate.running import Result, learning
from evaluate.study import SEED, Round
from polyclinic.services.insights.domain.learning.shipping import shipped, suppressed
from polyclinic.services.insights.domain.learning.splitting import by_person
from polyclinic.services.insights.domain.models import dump

FOLDER = (
    Path(__file__).resolve().parents[1]
    / "src/polyclinic/services/insights/domain/models/shipped"
)  # fmt: skip
# A code that fewer persons have is somebody's: k of the project's reference on insights.
LEAST = 11
_CREDIT = {
    "readmission-30d": "Diabetes 130-US Hospitals for Years 1999-2008, Clore, Cios, DeShazo, "
    "Strack, UCI Machine Learning Repository 296, doi:10.24432/C5230J, CC BY 4.0; Strack et al. "
    "2014, doi:10.1155/2014/781670. Changed: learned from.",
    "incident-diabetes-5y": "nafld1, nafld2, nafld3 of the R package survival (LGPL): Allen et "
    "al. 2018, doi:10.1002/hep.29546.",
}


def ship(results: list[Result]) -> list[Path]:
    """Writes every model that has a name and was chosen in an additive form; returns the files."""
    paths: list[Path] = []
    for each in results:
        if each.study.naming is not None and each.chosen == "trees":
            print(f"NOT SHIPPED: {each.study.naming.id}: the rule chose trees")
        elif each.study.naming is not None:
            path = FOLDER / f"{each.study.naming.id}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(_made(each))
            paths.append(path)
    return paths


def _made(result: Result) -> bytes:
    study = result.study
    assert study.naming is not None
    every = np.ones(len(study.cases), dtype=bool)
    whole = Round(every, None, every)
    if study.rounds[0].window is not None:
        learn, window = by_person(study.cases, (0.85, 0.15), SEED)
        whole = Round(learn, window, every)
    learned = learning(study, whole)(study.candidates[result.chosen])
    model = shipped(learned, study.naming, _record(result))
    if few := suppressed(model, study.cases, LEAST):
        raise ValueError(f"Codes of fewer than {LEAST} persons: {', '.join(few)}")
    return dump(model)


def _record(result: Result) -> dict[str, Any]:
    study, full = result.study, result.full
    return {
        "credit": _CREDIT[study.id],
        "data_sha256": dict(study.data),
        "made_by": "make evaluate ARGS=--ship",
        "form": result.chosen,
        "cases": result.cases,
        "persons": result.people,
        "outcomes": result.events,
        "share_with_outcome": round(result.rate, 4),
        "measured": f"{study.split}; the same procedure was then carried out on all cases",
        "numbers": {
            part: {name: [round(n, 4) for n in each] for name, each in numbers.items()
                   if np.isfinite(each).all()}
            for part, numbers in full.items()
        },
        "candidates": {name: [round(n, 4) for n in each["auroc"]]
                       for name, each in result.brief.items()},
        "groups": [
            {"group": g.name, "cases": g.people, "outcomes": g.events,
             "auroc": [round(n, 4) for n in g.auroc], "oe": [round(n, 4) for n in g.oe]}
            for g in result.groups if g.auroc and g.oe and np.isfinite(g.auroc).all()
        ],
        "limits": list(study.notes),
        "expires": "12 months after it is registered; local proof comes first",
    }  # fmt: skip
