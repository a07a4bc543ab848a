-- What a key may not do beyond its scopes: how often, from where, and whether its requests must be signed. Null: no such limit of its own.
ALTER TABLE api_keys
  ADD COLUMN rate_limit jsonb,
  ADD COLUMN allowed_addresses text[],
  ADD COLUMN signed boolean NOT NULL DEFAULT false;

-- When a key was last used, to about a minute.
CREATE TABLE key_uses (
  tenant_id uuid NOT NULL,
  key_id uuid NOT NULL,
  last_used_at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, key_id)
);
SELECT baton_protect('key_uses', 'SELECT', 'SELECT, INSERT, UPDATE');

-- Which request came under which webhook-id, as digests alone, for a few days. Outside tenancy: a key id is unique over all tenants, the digests say
-- nothing, and what is old is swept for all at once.
CREATE TABLE signed_ids (
  key_id uuid NOT NULL,
  id_hash text NOT NULL,
  body_hash text NOT NULL,
  seen_at timestamptz(3) NOT NULL,
  PRIMARY KEY (key_id, id_hash)
);
CREATE INDEX signed_ids_seen_at_idx ON signed_ids (seen_at);
SELECT baton_grant('signed_ids', 'SELECT, INSERT', 'SELECT, DELETE');
