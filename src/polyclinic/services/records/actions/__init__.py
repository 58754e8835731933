"""What records can do besides FHIR itself."""
