"""Patch by JSON Patch: what comes of it is judged as if it had been put whole.

https://hl7.org/fhir/R4/http.html#patch
"""

from typing import Any

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask, written
from polyclinic.fhirserver.rest.conditional import canonical
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.read import NoSuchResource
from polyclinic.fhirserver.store.store import ATTEMPTS, LabelStays
from polyclinic.foundation.errors import (
    Invalid,
    Issue,
    NotProcessable,
    Stale,
    WrongMediaType,
)
from polyclinic.standards.fhir import codec, json_patch

MEDIA_TYPE = "application/json-patch+json"
_FIXED = frozenset({"id", "resourceType", "meta"})
_STAMPED = frozenset({"versionId", "lastUpdated"})

Operations = list[Any]


class NotPatched(NotProcessable):
    """The patch does not fit the resource."""


async def patch(parts: Parts, errand: Errand, kind: str, name: str, ask: Ask) -> Answer:
    _need_both(parts, errand, kind)
    operations_of(ask)
    for attempt in range(ATTEMPTS):
        draft = await patched_draft(parts, errand, kind, name, ask)
        try:
            return written(await parts.store.put(draft), ask.headers)
        except Stale:
            # Without If-Match the patch is for whatever is current: try it on what came since.
            if ask.if_match is not None or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


async def patch_matching(parts: Parts, errand: Errand, kind: str, ask: Ask) -> Answer:
    """Patches the one that matches."""
    _need_both(parts, errand, kind)
    errand.access.to("s", kind)
    operations_of(ask)
    wanted = canonical(kind, ask.pairs)

    async def draft_of(found: str | None) -> Draft | None:
        if found is None:
            raise NoSuchResource("Nothing matches these criteria.", place=kind)
        return await patched_draft(parts, errand, kind, found, ask)

    again = ask.if_match is None
    _, outcome = await parts.conditional.write(errand, wanted, draft_of, again_if_stale=again)
    assert outcome is not None
    return written(outcome, ask.headers)


def _need_both(parts: Parts, errand: Errand, kind: str) -> None:
    """Reading, because a `test` tells what stands there, and changing."""
    parts.may_write(errand, "u", kind)
    errand.access.to("r", kind)
    parts.need_documents(kind, "patch")


def operations_of(ask: Ask) -> Operations:
    """The patch of a request; raises Invalid by place before anything is read."""
    media = ask.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != MEDIA_TYPE:
        raise WrongMediaType(f"A patch is sent as {MEDIA_TYPE}.", place="Content-Type")
    try:
        operations = codec.decode_list(ask.body)
        for number, operation in enumerate(operations):
            place = f"patch[{number}]"
            json_patch.checked(operation, place)
            if operation["op"] != "test":
                _leave_fixed(operation, place)
    except codec.BadJson as bad:
        raise Invalid(bad.text, place=bad.place or "body") from bad
    except json_patch.BadPatch as bad:
        raise Invalid(bad.text, place=bad.place) from bad
    return operations


def _leave_fixed(operation: dict[str, Any], place: str) -> None:
    for steps in json_patch.pointers(operation):
        whole = not steps or (steps[0] in _FIXED and len(steps) == 1)
        if whole or (steps[0] == "meta" and steps[1] in _STAMPED):
            shown = "/" + "/".join(steps)
            raise NotPatched(f"A patch leaves {shown[:64]} as it is.", place=place)


async def patched_draft(parts: Parts, errand: Errand, kind: str, name: str, ask: Ask) -> Draft:
    """The patched resource for exactly the version that was read, under both Grants."""
    document = await parts.store.read(errand, errand.access.to("r", kind), kind, name)
    if ask.if_match is not None and ask.if_match != document.version:
        text = f"The current version is {document.version}; you sent If-Match {ask.if_match}."
        issue = Issue(text, "If-Match", Stale.code)
        raise Stale(text, place=f"{kind}/{name}", issues=(issue,))
    assert document.body is not None
    before = codec.decode_kept(document.body)
    after = _applied(before, operations_of(ask))
    if not errand.access.wide:
        _keep_labels(before, after)
    grant = errand.access.to("u", kind)
    return Draft(errand, grant, kind, name, after, if_match=document.version, may_create=False)


def _applied(before: dict[str, Any], operations: Operations) -> dict[str, Any]:
    try:
        made = json_patch.applied(before, operations)
        # Read once more like any body, so that a patch brings in nothing that a PUT could not.
        after = codec.decode(codec.encode(made))
    except json_patch.BadPatch as bad:
        raise NotPatched(bad.text, place=bad.place) from bad
    except (codec.BadJson, RecursionError) as bad:
        raise NotPatched("The patched resource is no FHIR JSON.", place="patch") from bad
    return reading.checked(after)


def _keep_labels(before: dict[str, Any], after: dict[str, Any]) -> None:
    had, has = _labels(before), _labels(after)
    if any(label not in has for label in had):
        raise LabelStays(place="Resource.meta.security")


def _labels(resource: dict[str, Any]) -> list[tuple[object, object]]:
    codings = resource.get("meta", {}).get("security", ())
    return [(coding.get("system"), coding.get("code")) for coding in codings]
