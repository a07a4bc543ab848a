-- Through which door a fact came, and what makes it the same fact whatever the door: two dialects never say an order in the same words.
ALTER TABLE facts ADD COLUMN door text NOT NULL DEFAULT 'api', ADD COLUMN core_hash uuid, ADD COLUMN order_id text;
CREATE INDEX facts_tenant_id_order_id_idx ON facts (tenant_id, order_id) WHERE order_id IS NOT NULL;

-- The caller's own key for one request, beside the fact's natural key. Kept as long as the fact.
CREATE TABLE idempotency_keys (
  tenant_id uuid NOT NULL,
  key text NOT NULL,
  body_hash uuid NOT NULL,
  PRIMARY KEY (tenant_id, key)
);
SELECT baton_protect('idempotency_keys', 'SELECT, INSERT', '');

-- Why a request was refused, for its sender to look up by the receipt that the refusal named. Not kept for ever: nothing was accepted.
CREATE TABLE rejections (
  tenant_id uuid NOT NULL,
  receipt_id uuid NOT NULL,
  kind text NOT NULL,
  door text NOT NULL,
  external_id text,
  answer json NOT NULL,
  received_at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, receipt_id)
);
CREATE INDEX rejections_tenant_id_external_id_idx ON rejections (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX rejections_received_at_idx ON rejections (received_at);
SELECT baton_protect('rejections', 'SELECT, INSERT', '');

-- The owner is under row-level security too; all it may see and take away is what is old enough.
CREATE POLICY forgotten ON rejections TO CURRENT_USER USING (received_at < now() - interval '30 days');

-- Forgets refusals of more than 30 days ago, of every tenant, a bounded number at a time. Gives how many went.
CREATE FUNCTION baton_forget_rejections() RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  gone int;
BEGIN
  DELETE FROM rejections WHERE ctid IN (SELECT ctid FROM rejections WHERE received_at < now() - interval '30 days' LIMIT 10000);
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
REVOKE ALL ON FUNCTION baton_forget_rejections() FROM PUBLIC;
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION baton_forget_rejections() TO %I', regexp_replace(current_user, '_owner$', '_worker')); END $$;
