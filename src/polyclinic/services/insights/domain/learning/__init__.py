"""Models learned and judged; needs the extra `insights`, which the running service does not.

    learned = across(cases, seed)(splines)                  # a candidate and its calibration
    judged = judge_briefly(asked, {"splines": learned.logits(asked)}, seed)
    model = shipped(learned, id=…, …)                       # plain data, for domain/models

Chance has a seed everywhere, one thread does it all: the same cases give the same model.
"""
