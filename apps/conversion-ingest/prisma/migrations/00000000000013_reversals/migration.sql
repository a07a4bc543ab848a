-- A request that takes several conversions back is a fact of its own beside the reversals that it made.
ALTER TABLE facts DROP CONSTRAINT facts_kind_check,
  ADD CONSTRAINT facts_kind_check CHECK (kind IN ('conversion', 'reversal', 'identity', 'verification', 'reversals')),
  ADD COLUMN request_id uuid;
CREATE INDEX facts_tenant_id_request_id_idx ON facts (tenant_id, request_id) WHERE request_id IS NOT NULL;

-- How conversions are found by what a reversal may name beside their own id.
CREATE INDEX facts_of_click_idx ON facts (tenant_id, (data->>'clickId')) WHERE kind = 'conversion' AND data->>'clickId' IS NOT NULL;
CREATE INDEX facts_of_customer_idx ON facts (tenant_id, (data->>'customerId')) WHERE kind = 'conversion' AND data->>'customerId' IS NOT NULL;
CREATE INDEX facts_of_email_idx ON facts (tenant_id, (data->>'emailHash')) WHERE kind = 'conversion' AND data->>'emailHash' IS NOT NULL;

-- Reversals that also take back what comes after them. `terms` is the request; `cap` null: it was confirmed.
CREATE TABLE standing_reversals (
  tenant_id uuid NOT NULL,
  selector text NOT NULL CHECK (selector IN ('external_id', 'order_id', 'click_id')),
  value text NOT NULL,
  request_id uuid NOT NULL,
  terms jsonb NOT NULL,
  cap jsonb,
  -- What it took so far, and how many conversions it left since the cap was reached.
  taken jsonb NOT NULL,
  left_out int NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, selector, value, request_id)
);
CREATE INDEX standing_reversals_tenant_id_request_id_idx ON standing_reversals (tenant_id, request_id);
SELECT baton_protect('standing_reversals', 'SELECT, INSERT', '');
DO $$ BEGIN EXECUTE format('GRANT UPDATE (taken, left_out) ON standing_reversals TO %I', regexp_replace(current_user, '_owner$', '_api')); END $$;
