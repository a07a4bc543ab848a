-- Digests of API keys, from the private credentials topic. Outside tenancy, because it is what tells the tenant: reachable by this grant alone.
CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  owner uuid NOT NULL,
  version int NOT NULL,
  state text NOT NULL,
  digest text NOT NULL UNIQUE,
  scopes text[] NOT NULL,
  test boolean NOT NULL,
  expires_at timestamptz,
  program_id uuid
);
SELECT baton_grant('api_keys', 'SELECT', 'SELECT, INSERT, UPDATE');
