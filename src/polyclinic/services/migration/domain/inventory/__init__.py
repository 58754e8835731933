"""What a source shows of an old system: readers that keep names, shapes and counts only.

A reader is given bytes or lines and answers a `Finding`. What a request carried (tokens, cookies,
values of parameters, bodies) and what stands in rows is never part of one.
"""
