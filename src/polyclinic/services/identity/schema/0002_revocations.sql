-- What other services ask for every half minute: access tokens and grants that were withdrawn.
ALTER TABLE identity.spent ADD COLUMN is_access boolean NOT NULL DEFAULT false;
CREATE INDEX spent_access ON identity.spent (expires_at) WHERE is_access;
CREATE INDEX grant_revoked ON identity.authorization_grant (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX account_disabled ON identity.account (id) WHERE is_disabled;
