"""The parts of `scripts/make_demo_clinic.py`."""
