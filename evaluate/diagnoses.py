"""Groups of ICD-9 diagnoses, as Diabetes-130 has them, that have a range in ICD-10 as well."""

Ranges = tuple[tuple[int, int], ...]

# Words, and three-digit categories of ICD-9-CM; ICD-10-CM beside them is in the task's definition.
GROUPS: dict[str, tuple[str, Ranges]] = {
    "heart_failure": ("Heart failure", ((428, 428),)),
    "ischaemic": ("Ischaemic heart disease", ((410, 414),)),
    "arrhythmia": ("Irregular heart rhythm", ((427, 427),)),
    "stroke": ("Stroke or its traces", ((430, 438),)),
    "kidney": ("Chronic kidney disease", ((585, 586),)),
    "copd": ("Chronic lung disease", ((491, 492), (496, 496))),
    "pneumonia": ("Pneumonia", ((480, 486),)),
    "cancer": ("Cancer", ((140, 208),)),
    "skin_infection": ("Infected or ulcered skin", ((681, 682), (707, 707))),
    "mental": ("Mental disorder", ((290, 319),)),
    "injury": ("Injury", ((800, 959),)),
    "arthrosis": ("Arthrosis", ((715, 715),)),
}
_CHAPTERS: dict[str, Ranges] = {
    "circulatory": ((390, 459), (785, 785)), "respiratory": ((460, 519), (786, 786)),
    "digestive": ((520, 579), (787, 787)), "genitourinary": ((580, 629), (788, 788)),
    "neoplasm": ((140, 239),), "injury": ((800, 999),), "musculoskeletal": ((710, 739),),
    "mental": ((290, 319),), "skin": ((680, 709),), "infection": ((1, 139),),
    "diabetes": ((250, 250),), "endocrine": ((240, 249), (251, 279)), "blood": ((280, 289),),
    "nervous": ((320, 389),), "pregnancy": ((630, 679),),
}  # fmt: skip


def is_in(code: str, ranges: Ranges) -> bool:
    """Whether the category of a code is in one of the ranges; V and E codes and ? never are."""
    head = code.partition(".")[0]
    return head.isdigit() and any(low <= int(head) <= high for low, high in ranges)


def chapter(code: str) -> str | None:
    """The chapter of a code, `other` for the rest, None where there is no code."""
    if code in ("", "?"):
        return None
    return next((name for name, ranges in _CHAPTERS.items() if is_in(code, ranges)), "other")
