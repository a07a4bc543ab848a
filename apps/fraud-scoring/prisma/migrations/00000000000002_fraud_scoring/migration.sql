CREATE TABLE clicks (
  tenant_id uuid NOT NULL,
  click_id text NOT NULL,
  address_hash text,
  network text,
  occurred_at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, click_id)
);
CREATE INDEX clicks_tenant_id_address_hash_occurred_at_idx ON clicks (tenant_id, address_hash, occurred_at);
CREATE INDEX clicks_tenant_id_network_occurred_at_idx ON clicks (tenant_id, network, occurred_at);
SELECT baton_protect('clicks', '', 'SELECT, INSERT');

-- A row for each address and network: a click and a judgement of the same address meet here, whichever comes first.
CREATE TABLE addresses (
  tenant_id uuid NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (tenant_id, key)
);
-- UPDATE is what FOR UPDATE asks for; no column ever changes.
SELECT baton_protect('addresses', '', 'SELECT, INSERT, UPDATE');

CREATE TABLE judgements (
  tenant_id uuid NOT NULL,
  conversion_id uuid NOT NULL,
  attribution_revision int NOT NULL,
  verdict_seq int NOT NULL,
  decision text,
  score int,
  reasons jsonb,
  attribution jsonb NOT NULL,
  address_hash text,
  network text,
  clicked_at timestamptz(3),
  PRIMARY KEY (tenant_id, conversion_id)
);
CREATE INDEX judgements_tenant_id_address_hash_clicked_at_idx ON judgements (tenant_id, address_hash, clicked_at);
CREATE INDEX judgements_tenant_id_network_clicked_at_idx ON judgements (tenant_id, network, clicked_at);
SELECT baton_protect('judgements', 'SELECT', 'SELECT, INSERT, UPDATE');
