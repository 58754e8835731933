"""The numbers of daily use in our own short words; the official lists are a site's to import."""

from collections.abc import Mapping
from types import MappingProxyType


def say(words: Mapping[str, str], code: str) -> str:
    """Our words for a code, or the bare code where we have none."""
    return words.get(code, f"Code {code}")


ADJUSTMENT_GROUPS: Mapping[str, str] = MappingProxyType({
    "CO": "by contract, nobody owes it",
    "CR": "correction of an earlier decision",
    "OA": "other",
    "PI": "payer's own decision, patient does not owe it",
    "PR": "patient owes it",
})  # fmt: skip

# CARC: why an amount was taken off.
ADJUSTMENT_REASONS: Mapping[str, str] = MappingProxyType({
    "1": "Deductible",
    "2": "Coinsurance",
    "3": "Copay",
    "4": "Modifier does not suit the service",
    "5": "Place does not suit the service",
    "6": "Age does not suit the service",
    "7": "Sex does not suit the service",
    "8": "Specialty does not suit the service",
    "9": "Diagnosis does not suit the age",
    "11": "Diagnosis does not suit the service",
    "13": "Died before the service",
    "16": "Details missing or wrong, see the remark",
    "18": "Sent twice",
    "19": "Accident at work: its insurer pays",
    "20": "Somebody else's liability insurer pays",
    "22": "Another insurance may have to pay first",
    "23": "What the insurance before has decided",
    "24": "Paid by the head, not by the service",
    "26": "Before the insurance began",
    "27": "After the insurance ended",
    "29": "Sent too late",
    "31": "Nobody insured was found",
    "39": "Permission had been asked and refused",
    "40": "Was no emergency",
    "45": "Above the agreed fee",
    "49": "Routine care, not insured",
    "50": "Payer sees no medical need",
    "51": "Illness from before the insurance",
    "55": "Payer sees it as experimental",
    "58": "Wrong place of treatment",
    "59": "Reduced beside another procedure",
    "96": "Not insured, see the remark",
    "97": "Part of another paid service",
    "100": "Paid to the patient",
    "109": "Belongs to another payer",
    "119": "Limit of the benefit reached",
    "129": "Earlier payer's details are wrong",
    "131": "Discount agreed for this claim",
    "140": "Number and name do not match",
    "144": "Bonus",
    "146": "Diagnosis code not valid that day",
    "149": "Lifetime limit reached",
    "151": "More often than the payer accepts",
    "167": "Diagnosis not insured",
    "170": "This kind of provider is not paid for it",
    "181": "Service code not valid that day",
    "182": "Modifier not valid that day",
    "185": "Treating clinician may not bill it",
    "197": "Permission was not asked beforehand",
    "198": "More than was permitted",
    "204": "Not in the patient's plan",
    "222": "More units than agreed",
    "226": "Papers asked of us did not come",
    "227": "Papers asked of the patient did not come",
    "231": "Cannot be billed on the same day",
    "234": "Not paid on its own",
    "236": "Does not go together with another service",
    "242": "Not by a provider of the network",
    "243": "Not sent by the family doctor",
    "252": "An attachment is needed",
    "253": "Cut required of federal payers",
    "288": "Referral missing",
    "A1": "Refused, see the remark",
    "B7": "Provider was not admitted that day",
    "B13": "Perhaps paid already",
    "B15": "Needs another service that is missing",
    "B16": "Patient was not new",
})  # fmt: skip

# RARC: what the remark adds.
REMARKS: Mapping[str, str] = MappingProxyType({
    "M15": "Belongs into another billed service",
    "M51": "Service code missing or wrong",
    "M76": "Diagnosis missing or wrong",
    "M77": "Place of service missing or wrong",
    "M127": "Record of the patient missing",
    "MA04": "Decision of the first payer missing",
    "MA130": "Could not be worked on: send it anew",
    "N4": "Letter of the earlier payer missing",
    "N130": "See the conditions of the plan",
    "N179": "Patient has been asked for more",
    "N290": "Number of the treating clinician missing or wrong",
    "N382": "Number of the patient missing or wrong",
    "N522": "Same as a claim received before",
    "N657": "Bill with the code for this service",
    "N706": "Documents missing",
})  # fmt: skip

# CLP02: how a payer has dealt with a claim.
REMITTED_STATUSES: Mapping[str, str] = MappingProxyType({
    "1": "decided as first payer",
    "2": "decided as second payer",
    "3": "decided as third payer",
    "4": "denied",
    "19": "decided as first payer and sent on",
    "20": "decided as second payer and sent on",
    "21": "decided as third payer and sent on",
    "22": "earlier payment taken back",
    "23": "not theirs, sent on",
    "25": "estimate only, no payment",
})  # fmt: skip

# STC01-1: what stage a claim has reached.
CLAIM_STATUS_CATEGORIES: Mapping[str, str] = MappingProxyType({
    "A0": "passed on",
    "A1": "received",
    "A2": "taken for a decision",
    "A3": "sent back",
    "A4": "not found",
    "A5": "split",
    "A6": "sent back, details missing",
    "A7": "sent back, details wrong",
    "A8": "sent back, details contradict each other",
    "F0": "finished",
    "F1": "finished, paid",
    "F2": "finished, denied",
    "P1": "being decided",
    "R0": "more is asked for",
})  # fmt: skip

# STC01-2: what exactly it is about.
CLAIM_STATUSES: Mapping[str, str] = MappingProxyType({
    "19": "receipt confirmed",
    "20": "taken for processing",
    "21": "details missing or wrong",
    "33": "insured person not found",
    "48": "permission or referral number",
    "54": "same as a claim decided before",
    "65": "paid",
    "78": "same as a claim still being decided",
    "88": "not insured on that day",
    "97": "insurance of the patient not found",
    "116": "belongs to another payer",
    "126": "address",
    "153": "identifying number",
    "158": "birth date",
    "164": "member number",
    "178": "charge",
    "187": "day of service",
    "249": "place of service",
    "254": "main diagnosis",
    "255": "diagnosis",
    "400": "sums do not agree",
    "453": "modifier",
    "454": "service code",
    "476": "units",
    "477": "pointer to the diagnosis",
    "562": "NPI",
})  # fmt: skip

# PLB03-1: money beside the claims.
PROVIDER_ADJUSTMENTS: Mapping[str, str] = MappingProxyType({
    "72": "Repayment received",
    "CS": "Adjustment",
    "FB": "Balance carried forward",
    "IR": "Tax withheld",
    "J1": "Grant or gift",
    "L6": "Interest",
    "LE": "Levy",
    "WO": "Overpayment recovered",
})  # fmt: skip

# CMS keeps this list, and it is free to use.
PLACES_OF_SERVICE: Mapping[str, str] = MappingProxyType({
    "02": "Telehealth, patient not at home",
    "10": "Telehealth, patient at home",
    "11": "Office",
    "12": "Home",
    "13": "Assisted living",
    "19": "Outpatient department off campus",
    "20": "Urgent care",
    "21": "Inpatient hospital",
    "22": "Outpatient department on campus",
    "23": "Emergency room",
    "24": "Ambulatory surgical center",
    "31": "Skilled nursing facility",
    "32": "Nursing facility",
    "50": "Federally qualified health center",
    "71": "Public health clinic",
    "72": "Rural health clinic",
    "81": "Laboratory",
    "99": "Other",
})  # fmt: skip
