"""What the FHIR server keeps: resources, their versions and keys, and who looked at them."""
