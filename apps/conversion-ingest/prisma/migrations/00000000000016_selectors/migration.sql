-- What a reversal may name beside a conversion's own id, as plain columns: under row-level security an expression over the data finds no index,
-- since ->> is not leakproof. Generated, so that facts of before this migration, and of replicas that still run, have them too. This writes the
-- table anew: conversions wait (503, and are sent again) while it does.
DROP INDEX facts_of_click_idx, facts_of_customer_idx, facts_of_email_idx;
ALTER TABLE facts
  ADD COLUMN click_id text COLLATE "C" GENERATED ALWAYS AS (CASE kind WHEN 'conversion' THEN data->>'clickId' END) STORED,
  ADD COLUMN customer_id text COLLATE "C" GENERATED ALWAYS AS (CASE kind WHEN 'conversion' THEN data->>'customerId' END) STORED,
  ADD COLUMN email_hash text COLLATE "C" GENERATED ALWAYS AS (CASE kind WHEN 'conversion' THEN data->>'emailHash' END) STORED;
CREATE INDEX facts_of_click_idx ON facts (tenant_id, click_id) WHERE click_id IS NOT NULL;
CREATE INDEX facts_of_customer_idx ON facts (tenant_id, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX facts_of_email_idx ON facts (tenant_id, email_hash) WHERE email_hash IS NOT NULL;
