"""Maria Keller's days in hospital, which her generated record cannot know: how she came is in it.

She came so long ago that billing takes nobody to be coded for it (`encounter_days`, 30), and went
home so lately that her return within 30 days is still foretold: for ten days after the seed.
"""

from datetime import UTC, date, datetime, time, timedelta

import msgspec

from polyclinic.demo.people import ANA_RUIZ, MARIA_KELLER

ID = "5c0f2f4e-7a55-5d2f-9a41-3f0b8a6f2d17"
CAME_DAYS, WENT_DAYS = 32, 20  # before the seed


def bundle(today: date) -> bytes:
    """A transaction Bundle; the stay lies as many days before today, whenever that is."""
    came = datetime.combine(today - timedelta(days=CAME_DAYS), time(14, 30), UTC)
    went = datetime.combine(today - timedelta(days=WENT_DAYS), time(15), UTC)
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
        "period": {"start": came.isoformat(), "end": went.isoformat()},
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
