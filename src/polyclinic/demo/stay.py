"""Maria Keller's days in hospital, which her generated record cannot know: how she came is in it.

They are long enough ago that billing takes nobody to be coded for it.
"""

import msgspec

from polyclinic.demo.people import ANA_RUIZ, MARIA_KELLER

ID = "5c0f2f4e-7a55-5d2f-9a41-3f0b8a6f2d17"


def bundle() -> bytes:
    """A transaction Bundle, always the same bytes: imported again it changes nothing."""
    act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    admitted_by = "http://terminology.hl7.org/CodeSystem/admit-source"
    stay = {
        "resourceType": "Encounter",
        "id": ID,
        "status": "finished",
        "class": {"system": act_code, "code": "IMP", "display": "inpatient encounter"},
        "type": [{"text": "Hospital admission for pneumonia"}],
        "subject": {"reference": MARIA_KELLER},
        "participant": [{"individual": {"reference": ANA_RUIZ}}],
        "period": {"start": "2026-09-07T14:30:00+00:00", "end": "2026-09-11T15:00:00+00:00"},
        "hospitalization": {
            "admitSource": {
                "coding": [
                    {
                        "system": admitted_by,
                        "code": "emd",
                        "display": "From accident/emergency department",
                    }
                ]
            }
        },
    }
    request = {"method": "PUT", "url": f"Encounter/{ID}"}
    return msgspec.json.encode(
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [{"fullUrl": f"urn:uuid:{ID}", "resource": stay, "request": request}],
        }
    )
