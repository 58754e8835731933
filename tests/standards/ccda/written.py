"""C-CDA as tests write it: a whole document around the part that a test is about."""

HEAD = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:sdtc="urn:hl7-org:sdtc"><realmCode code="US"/>'
    '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
    '<templateId root="2.16.840.1.113883.10.20.22.1.1" extension="2015-08-01"/>'
    '<templateId root="2.16.840.1.113883.10.20.22.1.2" extension="2015-08-01"/>'
    '<id root="1.2.3.4" extension="{number}"/>'
    '<code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="Summary"/>'
    '<title>Example</title><effectiveTime value="20260101120000-0500"/>'
    '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>'
    '<languageCode code="en-US"/>'
)
PARTS = {
    "recordTarget": (
        '<recordTarget><patientRole><id root="1.2.3.9" extension="77"/>'
        '<addr use="HP"><streetAddressLine>1 Main</streetAddressLine><city>Quincy</city>'
        "<state>MA</state><postalCode>02134</postalCode></addr>"
        '<telecom value="tel:+1-555-0101" use="HP"/><patient>'
        '<name use="L"><given>Ada</given><family>Test</family></name>'
        '<administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>'
        '<birthTime value="19700101"/></patient></patientRole></recordTarget>'
    ),
    "author": (
        '<author><time value="20260101120000-0500"/><assignedAuthor>'
        '<id root="2.16.840.1.113883.4.6" extension="1234567893"/><addr><city>Quincy</city></addr>'
        '<telecom value="tel:+1-555-0102"/><assignedPerson><name><given>Dora</given>'
        "<family>Doc</family></name></assignedPerson></assignedAuthor></author>"
    ),
    "custodian": (
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        '<id root="1.2.3"/><name>Other House</name><telecom value="tel:+1-555-0103"/>'
        "<addr><city>Quincy</city></addr></representedCustodianOrganization></assignedCustodian>"
        "</custodian>"
    ),
}


def document(*sections: str, number: str = "1", further: str = "", **parts: str) -> bytes:
    """A document with these sections; a part of the header may be another one."""
    header = "".join((PARTS | parts).values()) + further
    inner = "".join(f"<component>{section}</component>" for section in sections)
    body = f"<component><structuredBody>{inner}</structuredBody></component>"
    whole = HEAD.format(number=number) + header + (body if sections else "")
    return (whole + "</ClinicalDocument>").encode()


def section(template: str, code: str, text: str, *entries: str) -> str:
    inner = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return (
        f'<section><templateId root="{template}"/>'
        f'<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><title>A section</title>'
        f"<text>{text}</text>{inner}</section>"
    )


def allergies(*entries: str, text: str = "What is said of allergies") -> str:
    return section("2.16.840.1.113883.10.20.22.2.6.1", "48765-2", text, *entries)


def allergy(substance: str, *, negated: bool = False, status: str = "active", ident="a1") -> str:
    """An allergy concern; `substance` is the content of its playing entity."""
    return (
        '<act classCode="ACT" moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.30" extension="2015-08-01"/>'
        f'<id root="1.2.3.5" extension="c-{ident}"/>'
        '<code code="CONC" codeSystem="2.16.840.1.113883.5.6"/>'
        f'<statusCode code="{status}"/><effectiveTime><low value="20200101"/></effectiveTime>'
        '<entryRelationship typeCode="SUBJ">'
        f'<observation classCode="OBS" moodCode="EVN"{_negation(negated)}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.7" extension="2014-06-09"/>'
        f'<id root="1.2.3.5" extension="{ident}"/>'
        '<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>'
        '<statusCode code="completed"/><effectiveTime><low value="20200101"/></effectiveTime>'
        '<value xsi:type="CD" code="414285001" codeSystem="2.16.840.1.113883.6.96"'
        ' displayName="Allergy to food"/>'
        '<author><time value="20260101"/><assignedAuthor><id root="1.2.3.6" extension="9"/>'
        "</assignedAuthor></author>"
        '<participant typeCode="CSM"><participantRole classCode="MANU">'
        f'<playingEntity classCode="MMAT">{substance}</playingEntity></participantRole>'
        "</participant></observation></entryRelationship></act>"
    )


def code(code: str, name: str, system: str = "2.16.840.1.113883.6.96") -> str:
    return f'<code code="{code}" displayName="{name}" codeSystem="{system}"/>'


def finding(value: str, *, negated: bool = False) -> str:
    """A social history observation: pregnancy status."""
    return (
        f'<observation classCode="OBS" moodCode="EVN"{_negation(negated)}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.38"/>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.38" extension="2015-08-01"/>'
        '<id root="1.2.3.5" extension="s1"/>'
        '<code code="82810-3" codeSystem="2.16.840.1.113883.6.1" displayName="Pregnancy status"/>'
        '<statusCode code="completed"/><effectiveTime value="20250101"/>'
        f"{value}</observation>"
    )


def medication(*, negated: bool = False) -> str:
    return (
        f'<substanceAdministration classCode="SBADM" moodCode="EVN"{_negation(negated)}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.16" extension="2014-06-09"/>'
        '<id root="1.2.3.5" extension="m1"/><statusCode code="active"/>'
        '<effectiveTime xsi:type="IVL_TS"><low value="20200101"/></effectiveTime>'
        '<doseQuantity value="1"/><consumable><manufacturedProduct classCode="MANU">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.23" extension="2014-06-09"/>'
        '<manufacturedMaterial><code code="197361" displayName="amlodipine 5 MG Oral Tablet"'
        ' codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct>'
        "</consumable></substanceAdministration>"
    )


def _negation(negated: bool) -> str:
    return ' negationInd="true"' if negated else ""


def fragment(name: str, text: str) -> bytes:
    """A published example, which is seldom a whole document, with the rest around it."""
    import re

    plain = re.sub(r"(?s)<\?xml[^>]*\?>|<!--.*?-->|<\?xml-stylesheet.*?\?>", "", text)
    plain = plain.strip().lstrip("\ufeff").strip()
    root = re.match(r"<(?:\w+:)?(\w+)", plain)[1]
    if root == "ClinicalDocument":
        spaced = HEAD.partition("<realmCode")[0]
        named = 'xmlns="urn:hl7-org:v3"' in plain.partition(">")[0]
        return (plain if named else plain.replace("<ClinicalDocument>", spaced, 1)).encode()
    if root in PARTS:
        return document(number=name, **{root: plain})
    if root == "section":
        return document(plain, number=name)
    if root == "component" and "<structuredBody" not in plain:
        return document(number=name, further=f"<component><structuredBody>{plain}"
                        "</structuredBody></component>")  # fmt: skip
    if root in ("component", *_HEADER):
        return document(number=name, further=plain)
    entry = re.sub(r"^<entry[^>]*>|</entry>$", "", plain) if root == "entry" else plain
    if root not in ("entry", *_STATEMENTS):
        entry = f'<act classCode="ACT" moodCode="EVN"><code code="1"/>{plain}</act>'
    return document(section("1.2.3", "11450-4", "text", entry), number=name)


_HEADER = ("legalAuthenticator", "informant", "dataEnterer", "informationRecipient", "participant",
           "authenticator", "inFulfillmentOf", "documentationOf", "relatedDocument",
           "authorization")  # fmt: skip
_STATEMENTS = ("act", "observation", "organizer", "substanceAdministration", "procedure",
               "encounter", "supply")  # fmt: skip
