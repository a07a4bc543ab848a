-- What a tenant set for a door. The row of the nil id is the door's own; every other is an endpoint, a place whose callers sign instead of naming a key.
CREATE TABLE door_settings (
  tenant_id uuid NOT NULL,
  door text NOT NULL,
  id uuid NOT NULL,
  settings jsonb NOT NULL,
  -- AES-256-GCM under DOOR_SECRETS_KEY, bound to this row. Null: none.
  secrets bytea,
  test boolean NOT NULL,
  program_id uuid,
  version int NOT NULL,
  state text NOT NULL CHECK (state IN ('active', 'disabled')),
  changed_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, door, id)
);
SELECT baton_protect('door_settings', 'SELECT, INSERT, UPDATE', '');

-- Whose an endpoint is. Outside tenancy, because it is what tells the tenant: ids alone, reachable by this grant.
CREATE TABLE door_endpoints (
  id uuid PRIMARY KEY,
  owner uuid NOT NULL,
  door text NOT NULL
);
SELECT baton_grant('door_endpoints', 'SELECT, INSERT', '');

-- Other names of conversions, as a door tells them: a payment's of its invoice. A refund may name either, and may come before the name does.
CREATE TABLE door_aliases (
  tenant_id uuid NOT NULL,
  door text NOT NULL,
  alias text NOT NULL,
  external_id text NOT NULL,
  PRIMARY KEY (tenant_id, door, alias)
);
CREATE INDEX door_aliases_tenant_id_door_external_id_idx ON door_aliases (tenant_id, door, external_id);
SELECT baton_protect('door_aliases', 'SELECT, INSERT', '');
