"""Finding one's way in a run of segments: the first of a kind, the one that must be there."""

from collections.abc import Callable, Iterable, Sequence

from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment


def first(segments: Iterable[Segment], tag: str, *qualifiers: str) -> Segment | None:
    """The first segment of that tag whose first element is one of the qualifiers, if any given."""
    for segment in segments:
        if segment.tag == tag and (not qualifiers or segment[1] in qualifiers):
            return segment
    return None


def need(segments: Sequence[Segment], tag: str, *qualifiers: str, after: Segment) -> Segment:
    """The same; Refused at the place where it was looked for when it is missing."""
    found = first(segments, tag, *qualifiers)
    if found is None:
        what = f"{tag}*{qualifiers[0]}" if qualifiers else tag
        text = f"The segment {what} is missing after this {after.tag}."
        raise Refused(tag, 0, after.position, "IK304-3", text)
    return found


def only(segments: Sequence[Segment], tag: str, *qualifiers: str) -> Segment | None:
    """The same, Refused at the second one."""
    found = [
        segment
        for segment in segments
        if segment.tag == tag and (not qualifiers or segment[1] in qualifiers)
    ]
    if len(found) > 1:
        raise found[1].refused(0, "IK304-5", "The segment stands here once too often.")
    return found[0] if found else None


def need_only(segments: Sequence[Segment], tag: str, *qualifiers: str, after: Segment) -> Segment:
    """Exactly one must be there."""
    return only(segments, tag, *qualifiers) or need(segments, tag, *qualifiers, after=after)


def need_element(segment: Segment, element: int) -> str:
    if not segment[element]:
        raise segment.refused(element, "IK403-1", "The element is missing.")
    return segment[element]


def split(
    segments: Iterable[Segment], starts: Callable[[Segment], bool]
) -> tuple[list[Segment], list[list[Segment]]]:
    """What stands before the first start, and a run for each start."""
    before: list[Segment] = []
    runs: list[list[Segment]] = []
    for segment in segments:
        if starts(segment):
            runs.append([segment])
        elif runs:
            runs[-1].append(segment)
        else:
            before.append(segment)
    return before, runs


def starts_with(*tags: str) -> Callable[[Segment], bool]:
    return lambda segment: segment.tag in tags


def refuse_unknown(segments: Iterable[Segment], known: frozenset[str]) -> None:
    for segment in segments:
        if segment.tag not in known:
            raise segment.refused(0, "IK304-1", "No segment of that tag belongs here.")
