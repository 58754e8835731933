"""What PostgreSQL says when two want the same at once."""

import asyncpg

# These pass when tried again: the other one is through by then.
RACES = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.UniqueViolationError,
)
# The auditor's word: two visits of one clinician overlap, which the atoms should have refused.
OVERLAP = asyncpg.ExclusionViolationError
