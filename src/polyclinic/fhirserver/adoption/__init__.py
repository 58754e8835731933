"""Moving resources to the service that owns their type, when it is added later (decisions/0018)."""
