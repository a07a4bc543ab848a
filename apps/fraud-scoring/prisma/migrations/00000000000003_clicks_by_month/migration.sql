-- Clicks in a partition for each month, so that the old ones go by dropping partitions: a DELETE would leave the indexes as large as they were.
-- By month, not by day: a statement that names no partition pays for planning each of them. `occurred_at` is the time inside the click id, so
-- the primary key still says "seen before".
-- The policies bind the owner too; to carry the rows over it must see them.
ALTER TABLE clicks NO FORCE ROW LEVEL SECURITY;
ALTER TABLE clicks RENAME TO clicks_whole;
ALTER INDEX clicks_pkey RENAME TO clicks_whole_pkey;
ALTER INDEX clicks_tenant_id_address_hash_occurred_at_idx RENAME TO clicks_whole_address;
ALTER INDEX clicks_tenant_id_network_occurred_at_idx RENAME TO clicks_whole_network;

CREATE TABLE clicks (
  tenant_id uuid NOT NULL,
  click_id text NOT NULL,
  address_hash text,
  network text,
  occurred_at timestamptz(3) NOT NULL,
  PRIMARY KEY (click_id, tenant_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE TABLE clicks_default PARTITION OF clicks DEFAULT;
-- In no index of this service the tenant comes first: to a planner without statistics (each month is young once) the policies' `= ANY (...)` makes all
-- rows of a tenant look as few as one, and it reads all of them by whatever index begins with the tenant.
CREATE INDEX clicks_address_hash_tenant_id_occurred_at_idx ON clicks (address_hash, tenant_id, occurred_at);
CREATE INDEX clicks_network_tenant_id_occurred_at_idx ON clicks (network, tenant_id, occurred_at);
SELECT baton_protect('clicks', '', 'SELECT, INSERT');
SELECT baton_protect('clicks_default', '', '');

-- Makes the partitions from `months_back` months ago to the month after next, and drops the older ones. Gives how many it made and dropped.
-- Both wait for those who write, so they give up soon and try next time; until then clicks go to the default partition.
CREATE FUNCTION keep_click_months(months_back integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  this_month timestamptz := date_trunc('month', now(), 'UTC');
  first_moment timestamptz;
  part text;
  changed integer := 0;
BEGIN
  -- One replica at a time.
  IF NOT pg_try_advisory_xact_lock(hashtextextended('fraud-scoring.click_months', 0)) THEN RETURN 0; END IF;
  FOR month IN -months_back .. 2 LOOP
    -- In UTC, whatever the session's zone: months are added to a timestamp without one.
    first_moment := ((this_month AT TIME ZONE 'UTC') + make_interval(months => month)) AT TIME ZONE 'UTC';
    part := 'clicks_' || to_char(first_moment AT TIME ZONE 'UTC', 'YYYYMM');
    CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE public.%I PARTITION OF public.clicks FOR VALUES FROM (%L) TO (%L)', part, first_moment,
        ((first_moment AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
      PERFORM public.baton_protect(('public.' || part)::regclass, '', '');
      changed := changed + 1;
    EXCEPTION
      WHEN check_violation THEN NULL; -- clicks of that month lie in the default partition already, and stay there
      WHEN lock_not_available THEN RETURN changed;
    END;
  END LOOP;
  FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.clicks'::regclass AND c.relname ~ '^clicks_\d{6}$'
      AND right(c.relname, 6) < to_char((this_month AT TIME ZONE 'UTC') - make_interval(months => months_back), 'YYYYMM') ORDER BY 1 LOOP
    BEGIN
      EXECUTE format('DROP TABLE public.%I', part);
      changed := changed + 1;
    EXCEPTION WHEN lock_not_available THEN RETURN changed;
    END;
  END LOOP;
  RETURN changed;
END $$;
REVOKE ALL ON FUNCTION keep_click_months(integer) FROM PUBLIC;
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION keep_click_months(integer) TO %I', regexp_replace(current_user, '_owner$', '_worker')); END $$;

-- The months first: what lies in the default partition stays there.
SELECT keep_click_months(25);
ALTER TABLE clicks NO FORCE ROW LEVEL SECURITY;
INSERT INTO clicks (tenant_id, click_id, address_hash, network, occurred_at) SELECT tenant_id, click_id, address_hash, network, occurred_at FROM clicks_whole;
ALTER TABLE clicks FORCE ROW LEVEL SECURITY;
DROP TABLE clicks_whole;

-- What was counted for the credited click. It never falls while the click stays the same: a refund long after the click's month was dropped must not
-- look like proof that there was no burst. At the most that is counted, further clicks leave the judgement alone.
ALTER TABLE judgements ADD COLUMN same_address int NOT NULL DEFAULT 0, ADD COLUMN same_network int NOT NULL DEFAULT 0;
ALTER TABLE judgements DROP CONSTRAINT judgements_pkey, ADD PRIMARY KEY (conversion_id, tenant_id);
DROP INDEX judgements_tenant_id_address_hash_clicked_at_idx;
DROP INDEX judgements_tenant_id_network_clicked_at_idx;
CREATE INDEX judgements_address_hash_tenant_id_clicked_at_idx ON judgements (address_hash, tenant_id, clicked_at);
CREATE INDEX judgements_network_tenant_id_clicked_at_idx ON judgements (network, tenant_id, clicked_at);
