-- The ground of every service's database: outbox, catalog, tenancy. Each service's first migration is this text.
-- Runs as <service>_owner; the runtime roles <service>_api and <service>_worker are there already, and are never owner, superuser or BYPASSRLS.

-- Puts a table with a tenant_id under row-level security and grants it. No tenant set: no rows. Empty grants: none.
CREATE FUNCTION baton_protect(target regclass, api_grants text, worker_grants text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  api text := regexp_replace(current_user, '_owner$', '_api');
  worker text := regexp_replace(current_user, '_owner$', '_worker');
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('CREATE POLICY one_tenant ON %s TO %I USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid) WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', target, api);
  EXECUTE format('CREATE POLICY tenants_of_batch ON %s TO %I USING (tenant_id = ANY (nullif(current_setting(''app.tenants'', true), '''')::uuid[])) WITH CHECK (tenant_id = ANY (nullif(current_setting(''app.tenants'', true), '''')::uuid[]))', target, worker);
  PERFORM baton_grant(target, api_grants, worker_grants);
END $$;

-- Grants a table that lies outside tenancy to the runtime roles.
CREATE FUNCTION baton_grant(target regclass, api_grants text, worker_grants text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF api_grants <> '' THEN EXECUTE format('GRANT %s ON %s TO %I', api_grants, target, regexp_replace(current_user, '_owner$', '_api')); END IF;
  IF worker_grants <> '' THEN EXECUTE format('GRANT %s ON %s TO %I', worker_grants, target, regexp_replace(current_user, '_owner$', '_worker')); END IF;
END $$;

-- Events on their way to Kafka, written with the effect that they tell of. Partitioned by the hour: what was sent goes by dropping partitions.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY,
  created_at timestamptz NOT NULL DEFAULT now(),
  topic text NOT NULL,
  key text NOT NULL,
  headers jsonb NOT NULL,
  value text NOT NULL,
  published_at timestamptz,
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
SELECT baton_grant('outbox', 'INSERT', 'INSERT, SELECT');
DO $$ BEGIN EXECUTE format('GRANT UPDATE (published_at) ON outbox TO %I', regexp_replace(current_user, '_owner$', '_worker')); END $$;

-- Makes the partitions of this hour and the next three, drops those that are over and wholly published. Gives how many were dropped.
-- A partition is made beside the table and attached, which does not wait for those who write; dropping one does, so it gives up soon and tries next time.
CREATE FUNCTION baton_outbox_maintain() RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  hour timestamptz;
  part text;
  unsent boolean;
  dropped int := 0;
BEGIN
  -- One at a time.
  IF NOT pg_try_advisory_xact_lock(hashtext('baton_outbox_maintain')) THEN RETURN 0; END IF;
  SET LOCAL lock_timeout = '100ms';
  FOR i IN 0..3 LOOP
    hour := date_trunc('hour', now(), 'UTC') + make_interval(hours => i);
    part := 'outbox_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I (LIKE outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
      EXECUTE format('ALTER TABLE outbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, hour, hour + interval '1 hour');
    EXCEPTION
      WHEN check_violation THEN NULL; -- rows of that hour lie in the default partition already, and stay there
      WHEN lock_not_available THEN EXIT; -- somebody reads the default partition for long: next time
    END;
  END LOOP;
  FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_\d{10}$'
      AND to_timestamp(right(c.relname, 10) || ' +00', 'YYYYMMDDHH24 TZH') < now() - interval '3 hours' ORDER BY 1 LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE published_at IS NULL)', part) INTO unsent;
    CONTINUE WHEN unsent;
    BEGIN
      EXECUTE format('DROP TABLE %I', part);
      dropped := dropped + 1;
    EXCEPTION WHEN lock_not_available THEN EXIT;
    END;
  END LOOP;
  DELETE FROM outbox_default WHERE published_at < now() - interval '2 hours';
  RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION baton_outbox_maintain() FROM PUBLIC;
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION baton_outbox_maintain() TO %I', regexp_replace(current_user, '_owner$', '_worker')); END $$;

-- What was agreed, as the catalog topic tells it. Terms (program, plan) keep every version in a slot of its own; the others keep the newest in slot 0.
CREATE TABLE catalog_entities (
  tenant_id uuid NOT NULL,
  type text NOT NULL,
  id uuid NOT NULL,
  slot int NOT NULL,
  version int NOT NULL,
  state text NOT NULL,
  valid_from timestamptz,
  number bigint,
  program_id uuid,
  data jsonb NOT NULL,
  PRIMARY KEY (tenant_id, type, id, slot)
);
CREATE INDEX catalog_links ON catalog_entities (tenant_id, number) WHERE number IS NOT NULL;
CREATE INDEX catalog_of_program ON catalog_entities (tenant_id, program_id, type) WHERE program_id IS NOT NULL;
SELECT baton_protect('catalog_entities', 'SELECT', 'SELECT, INSERT, UPDATE');

-- Every tenant that this service has heard of: for sweeps that visit all. Outside tenancy: ids alone.
CREATE TABLE known_tenants (id uuid PRIMARY KEY);
SELECT baton_grant('known_tenants', '', 'SELECT, INSERT');
