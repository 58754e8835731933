"""What the portal knows about showing a record: pure values out of FHIR resources."""
