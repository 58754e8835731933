"""A FHIR R4 server to mount: a service gives it a schema, a vault and the types it owns."""
