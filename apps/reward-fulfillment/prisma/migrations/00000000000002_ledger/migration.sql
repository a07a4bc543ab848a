-- Conversions as last judged. The row is the lock of all its rewards.
CREATE TABLE conversions (
  tenant_id uuid NOT NULL,
  conversion_id uuid NOT NULL,
  attribution_revision int NOT NULL,
  verdict_seq int NOT NULL,
  -- The program whose plans apply; null where nobody earned the conversion.
  program_id uuid,
  external_id text NOT NULL,
  occurred_at timestamptz(3) NOT NULL,
  verdict jsonb NOT NULL,
  PRIMARY KEY (tenant_id, conversion_id)
);
CREATE INDEX conversions_by_external_id ON conversions (tenant_id, external_id);
-- For a version of terms that arrives after the conversions it applies to.
CREATE INDEX conversions_by_program ON conversions (tenant_id, program_id, occurred_at);

-- When to settle a conversion again: a hold ends, or terms arrived. It names its tenant `owner`, since it lies outside tenancy: it is
-- how a worker learns for which tenants there is work.
CREATE TABLE revisits (
  conversion uuid NOT NULL,
  owner uuid NOT NULL,
  why text NOT NULL CHECK (why IN ('hold_ends', 'terms_arrived', 'awaits_terms')),
  due_at timestamptz(3) NOT NULL,
  PRIMARY KEY (owner, conversion)
);
CREATE INDEX revisits_due ON revisits (due_at);
CREATE INDEX revisits_awaiting_terms ON revisits (owner) WHERE why = 'awaits_terms';

CREATE TABLE rewards (
  tenant_id uuid NOT NULL,
  reward_id uuid NOT NULL,
  sequence int NOT NULL,
  conversion_id uuid NOT NULL,
  program_id uuid NOT NULL,
  partner_id uuid NOT NULL,
  plan_id uuid NOT NULL,
  plan_version int NOT NULL,
  beneficiary text NOT NULL CHECK (beneficiary IN ('partner', 'referred')),
  state text NOT NULL CHECK (state IN ('held', 'payable', 'sending', 'unknown', 'review', 'paid', 'voided', 'clawed_back')),
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  currency text NOT NULL,
  hold_until timestamptz(3) NOT NULL,
  click_id text,
  attribution_revision int NOT NULL,
  verdict_seq int NOT NULL,
  reason text NOT NULL,
  changed_at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, reward_id),
  CONSTRAINT rewards_one_accrual UNIQUE (tenant_id, conversion_id, plan_id, partner_id, beneficiary),
  CONSTRAINT rewards_of_conversion FOREIGN KEY (tenant_id, conversion_id) REFERENCES conversions (tenant_id, conversion_id)
);
CREATE INDEX rewards_by_partner ON rewards (tenant_id, partner_id, reward_id);

-- The ledger. A posting is one step of one reward; its entries sum to zero in each currency.
CREATE TABLE postings (
  tenant_id uuid NOT NULL,
  reward_id uuid NOT NULL,
  -- The reward's sequence that this posting made.
  sequence int NOT NULL,
  reason text NOT NULL,
  hold_until timestamptz(3) NOT NULL,
  attribution_revision int NOT NULL,
  verdict_seq int NOT NULL,
  posted_at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, reward_id, sequence),
  CONSTRAINT postings_of_reward FOREIGN KEY (tenant_id, reward_id) REFERENCES rewards (tenant_id, reward_id)
);

CREATE TABLE entries (
  tenant_id uuid NOT NULL,
  reward_id uuid NOT NULL,
  sequence int NOT NULL,
  account text NOT NULL,
  currency text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  PRIMARY KEY (tenant_id, reward_id, sequence, account, currency),
  CONSTRAINT entries_of_posting FOREIGN KEY (tenant_id, reward_id, sequence) REFERENCES postings (tenant_id, reward_id, sequence)
);

-- The fold of the entries, kept in the transaction that writes them.
CREATE TABLE balances (
  tenant_id uuid NOT NULL,
  account text NOT NULL,
  currency text NOT NULL,
  amount_minor bigint NOT NULL,
  PRIMARY KEY (tenant_id, account, currency)
);

-- Append-only, twice over: no runtime role may UPDATE or DELETE, and nobody at all gets past the trigger.
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % refused: the ledger is append-only; a correction is a new posting', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- All entries of a posting are written by one statement, so a posting that does not balance is refused before it exists.
CREATE FUNCTION ledger_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE broken record;
BEGIN
  SELECT reward_id, sequence, currency, sum(amount_minor) AS rest INTO broken FROM added GROUP BY tenant_id, reward_id, sequence, currency HAVING sum(amount_minor) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'posting % of reward % leaves % minor units of % unaccounted for', broken.sequence, broken.reward_id, broken.rest, broken.currency USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER entries_balance AFTER INSERT ON entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_unbalanced();

SELECT baton_protect('conversions', 'SELECT', 'SELECT, INSERT, UPDATE');
SELECT baton_protect('rewards', 'SELECT', 'SELECT, INSERT, UPDATE');
SELECT baton_protect('postings', 'SELECT', 'SELECT, INSERT');
SELECT baton_protect('entries', 'SELECT', 'SELECT, INSERT');
SELECT baton_protect('balances', 'SELECT', 'SELECT, INSERT, UPDATE');

DO $$
DECLARE owner text := current_user; worker text := replace(current_user, '_owner', '_worker'); ledger_table text;
BEGIN
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON revisits TO %I', worker);
  -- The functions below run as the owner and count over all tenants; the runtime roles reach them, never the rows.
  FOREACH ledger_table IN ARRAY ARRAY['conversions', 'rewards', 'postings', 'entries', 'balances'] LOOP
    EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO %I USING (true)', ledger_table || '_counted_by_owner', ledger_table, owner);
  END LOOP;
END $$;

-- The invariants of the ledger: how often each is broken. All are 0, always.
CREATE FUNCTION baton_ledger_invariants() RETURNS TABLE (invariant text, broken bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT 'I1_sum_per_currency_is_zero', count(*) FROM (SELECT 1 FROM entries GROUP BY tenant_id, currency HAVING sum(amount_minor) <> 0) AS b
  UNION ALL
  SELECT 'I2_every_posting_balances', count(*) FROM (
    SELECT 1 FROM entries GROUP BY tenant_id, reward_id, sequence, currency HAVING sum(amount_minor) <> 0
    UNION ALL
    SELECT 1 FROM postings p WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE (e.tenant_id, e.reward_id, e.sequence) = (p.tenant_id, p.reward_id, p.sequence))) AS b
  UNION ALL
  SELECT 'I3_balance_is_fold_of_entries', count(*) FROM (
    SELECT 1 FROM (SELECT tenant_id, account, currency, sum(amount_minor) AS folded FROM entries GROUP BY 1, 2, 3) AS f
    FULL JOIN balances b USING (tenant_id, account, currency) WHERE coalesce(f.folded, 0) <> coalesce(b.amount_minor, 0)) AS b
  UNION ALL
  SELECT 'I4_entries_append_only', (
    SELECT 2 - count(*) FROM pg_trigger WHERE tgrelid IN ('public.entries'::regclass, 'public.postings'::regclass) AND tgname IN ('entries_append_only', 'postings_append_only') AND tgenabled = 'O')
    + (SELECT count(*) FROM pg_roles r, unnest(ARRAY['public.entries', 'public.postings']) AS t(name), unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p(privilege)
       WHERE r.rolname IN (replace(current_user, '_owner', '_worker'), replace(current_user, '_owner', '_api')) AND has_table_privilege(r.oid, t.name, p.privilege))
  UNION ALL
  -- A reward is worth what the ledger holds for it, and only partners whom the newest verdict credits hold one of a plan.
  SELECT 'I5_one_accrual', count(*) FROM (
    SELECT 1 FROM rewards r
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(e.amount_minor) FILTER (WHERE e.currency = r.currency AND e.account = 'partner:' || r.partner_id || ':' || r.state), 0) AS where_it_belongs,
             coalesce(sum(e.amount_minor), 0) AS anywhere
      FROM entries e WHERE (e.tenant_id, e.reward_id) = (r.tenant_id, r.reward_id) AND e.account LIKE 'partner:%') AS held
    WHERE held.where_it_belongs <> r.amount_minor OR held.anywhere <> r.amount_minor
    UNION ALL
    SELECT 1 FROM rewards r JOIN conversions c USING (tenant_id, conversion_id)
    WHERE r.amount_minor > 0 AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(c.verdict->'attribution'->'credits') AS credit WHERE (credit->>'partnerId')::uuid = r.partner_id)) AS b
  UNION ALL
  SELECT 'I8_nothing_payable_before_hold_ends', count(*) FROM (
    SELECT 1 FROM rewards WHERE state IN ('payable', 'sending', 'unknown', 'review', 'paid') AND hold_until > now() + interval '1 second'
    UNION ALL
    SELECT 1 FROM entries e JOIN postings p USING (tenant_id, reward_id, sequence)
    WHERE e.account LIKE 'partner:%:payable' AND e.amount_minor > 0 AND p.posted_at < p.hold_until) AS b
$$;

-- The same for the same money, however it came there: over what each reward holds in each account, in a fixed order.
CREATE FUNCTION baton_ledger_hash() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT encode(sha256(convert_to(coalesce(string_agg(concat_ws(' ', tenant_id, reward_id, account, currency, total), E'\n' ORDER BY tenant_id, reward_id, account COLLATE "C", currency COLLATE "C"), ''), 'UTF8')), 'hex')
  FROM (SELECT tenant_id, reward_id, account, currency, sum(amount_minor) AS total FROM entries GROUP BY 1, 2, 3, 4 HAVING sum(amount_minor) <> 0) AS held
$$;

DO $$
DECLARE worker text := replace(current_user, '_owner', '_worker');
BEGIN
  REVOKE ALL ON FUNCTION baton_ledger_invariants(), baton_ledger_hash() FROM PUBLIC;
  EXECUTE format('GRANT EXECUTE ON FUNCTION baton_ledger_invariants(), baton_ledger_hash() TO %I', worker);
END $$;
