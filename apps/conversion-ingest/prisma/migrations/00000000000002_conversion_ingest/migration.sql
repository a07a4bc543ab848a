-- What was accepted, and its receipt. `fact_id` is the natural key (order, refund, identity), so its uniqueness is the dedupe; it never expires.
CREATE TABLE facts (
  tenant_id uuid NOT NULL,
  fact_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('conversion', 'reversal', 'identity')),
  receipt_id uuid NOT NULL,
  external_id text,
  body_hash uuid NOT NULL,
  -- json, not jsonb: a duplicate gets the first answer to the letter.
  answer json NOT NULL,
  data jsonb NOT NULL,
  received_at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, fact_id)
);
CREATE UNIQUE INDEX facts_tenant_id_receipt_id_key ON facts (tenant_id, receipt_id);
CREATE INDEX facts_tenant_id_external_id_idx ON facts (tenant_id, external_id);
SELECT baton_protect('facts', 'SELECT, INSERT', '');
