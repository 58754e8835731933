"""FHIR R4 (4.0.1): definitions, JSON codec, base validation, search values, references."""
