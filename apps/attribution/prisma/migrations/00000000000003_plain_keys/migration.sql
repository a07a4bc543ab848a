-- What persons are joined to conversions and clicks by, as plain columns: under row-level security an expression such as substr(identifier, 10)
-- is not trusted to look into rows before the policy has, so that it finds no index and reads all rows of the tenant instead.
-- Generated, so that rows of before this migration have them too, whatever the policies let the owner see.
ALTER TABLE identifiers
  ADD COLUMN external_id text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN starts_with(identifier, 'external:') THEN substr(identifier, 10) END) STORED,
  ADD COLUMN click_id text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN starts_with(identifier, 'click_id:') THEN substr(identifier, 10) END) STORED;

-- What runs with the owner's rights resolves no name in a caller's temporary schema first.
ALTER FUNCTION make_click_partitions(integer, integer) SET search_path = pg_catalog, public, pg_temp;

-- Statistics of tables that have changed much since they were last looked at; gives how many were refreshed. The policies' `= ANY (...)` makes all
-- of a tenant's rows look as cheap as one of them to a planner that knows nothing, and the server's own round comes once a minute: in a young
-- database that is a minute of reading everything for every key.
CREATE FUNCTION refresh_statistics() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  stale record;
  refreshed integer := 0;
BEGIN
  -- One replica at a time; the others need not wait for it.
  IF NOT pg_try_advisory_xact_lock(hashtextextended('attribution.statistics', 0)) THEN RETURN 0; END IF;
  FOR stale IN SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' AND n_mod_since_analyze > 500 + 0.2 * n_live_tup ORDER BY relname LOOP
    EXECUTE format('ANALYZE public.%I', stale.relname);
    refreshed := refreshed + 1;
  END LOOP;
  RETURN refreshed;
END $$;
REVOKE ALL ON FUNCTION refresh_statistics() FROM PUBLIC;
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION refresh_statistics() TO %I', replace(current_user, '_owner', '_worker')); END $$;
