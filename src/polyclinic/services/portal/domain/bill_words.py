"""Why an amount was taken off, in a patient's words: by claim adjustment reason code (CARC).

The official texts are licensed and written for billers. These are ours: the commonest numbers
only, each as words that go on where "because" stops. What has none is left unsaid.
"""

from collections.abc import Mapping

# What the patient pays, and by which rule of the insurance.
_SHARES: Mapping[str, str] = {
    "1": "it counts towards your deductible: what you pay yourself each year before your"
    " insurance begins to pay",
    "2": "it is your coinsurance: the part of the price that your insurance leaves to you",
    "3": "it is your copay: the fixed amount that you pay for a visit like this",
    "96": "your insurance does not cover this service",
    "119": "the limit that your insurance pays for this in a year is reached",
    "204": "your insurance plan does not include this service",
    "27": "your insurance had ended on that day",
    "26": "your insurance had not begun on that day",
    "31": "your insurance did not find you under this number",
    "50": "your insurance does not see it as medically needed",
    "197": "your insurance wanted to be asked beforehand",
}
# What nobody pays.
_REDUCTIONS: Mapping[str, str] = {
    "45": "your insurance and we agreed on a lower price; nobody pays the difference",
    "24": "your insurance pays us by the month, not by the visit",
    "29": "we sent the claim too late; that is not yours to pay",
    "59": "it was done together with something else and costs less then",
    "97": "it is part of something else that was paid",
    "131": "a discount was agreed with your insurance",
    "253": "a cut that the federal budget law takes off every payment",
    "23": "another insurance had paid its part before",
    "18": "it had been sent twice",
}


def why_yours(reason: str) -> str:
    """Goes on after "you pay this because"; empty where we have no words for it."""
    return _SHARES.get(reason, "")


def why_reduced(reason: str) -> str:
    """Goes on after "this was taken off because"; empty where we have no words for it."""
    return _REDUCTIONS.get(reason, "")
