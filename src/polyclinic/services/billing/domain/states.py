"""The two letters by which the postal service knows a state; charts often spell its name out."""

_NAMES = (
    "AL Alabama, AK Alaska, AZ Arizona, AR Arkansas, CA California, CO Colorado, CT Connecticut,"
    " DE Delaware, DC District of Columbia, FL Florida, GA Georgia, HI Hawaii, ID Idaho,"
    " IL Illinois, IN Indiana, IA Iowa, KS Kansas, KY Kentucky, LA Louisiana, ME Maine,"
    " MD Maryland, MA Massachusetts, MI Michigan, MN Minnesota, MS Mississippi, MO Missouri,"
    " MT Montana, NE Nebraska, NV Nevada, NH New Hampshire, NJ New Jersey, NM New Mexico,"
    " NY New York, NC North Carolina, ND North Dakota, OH Ohio, OK Oklahoma, OR Oregon,"
    " PA Pennsylvania, PR Puerto Rico, RI Rhode Island, SC South Carolina, SD South Dakota,"
    " TN Tennessee, TX Texas, UT Utah, VT Vermont, VA Virginia, WA Washington, WV West Virginia,"
    " WI Wisconsin, WY Wyoming, AS American Samoa, GU Guam, MP Northern Mariana Islands,"
    " VI Virgin Islands"
)
_CODES = {name.lower(): code for code, _, name in (e.partition(" ") for e in _NAMES.split(", "))}


def state_code(text: str) -> str:
    """`Massachusetts` → `MA`; what is no name of a state stays as it is."""
    return _CODES.get(text.strip().lower(), text.strip())
