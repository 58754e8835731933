"""`make evaluate DATA=…`: models against public data sets, with intervals, beside the reference."""
