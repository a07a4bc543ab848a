-- Facts, persons and revisions of attribution. Run by the owner role; see README.md for what each table is for.

-- A click: its record, or an empty row (filled = false) that a conversion or identity left for it. That row is what a click and the
-- fact that names it meet in: whoever comes second waits for the first and then sees it.
CREATE TABLE clicks (
  tenant_id     uuid    NOT NULL,
  -- The UTC day inside the click id, so that the primary key needs no side table.
  day           date    NOT NULL,
  click_id      text    COLLATE "C" NOT NULL,
  filled        boolean NOT NULL,
  link_id       uuid,
  program_id    uuid,
  partner_id    uuid,
  bot           boolean NOT NULL DEFAULT false,
  prefetch      boolean NOT NULL DEFAULT false,
  sub_ids       jsonb   NOT NULL DEFAULT '{}',
  network       text,
  address_hash  text,
  country       text,
  -- Customers whom one fact named together with this click.
  customer_ids  text[]  NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, day, click_id)
) PARTITION BY RANGE (day);
CREATE TABLE clicks_default PARTITION OF clicks DEFAULT;

CREATE TABLE conversions (
  tenant_id        uuid        NOT NULL,
  conversion_id    uuid        NOT NULL,
  external_id      text        COLLATE "C" NOT NULL,
  receipt_id       uuid        NOT NULL,
  program_id       uuid,
  type             text        NOT NULL,
  amount_minor     bigint      NOT NULL,
  currency         text        NOT NULL,
  occurred_at      timestamptz NOT NULL,
  received_at      timestamptz NOT NULL,
  test             boolean     NOT NULL,
  click_id         text        COLLATE "C",
  customer_id      text,
  dropped_evidence text[]      NOT NULL,
  -- The newest revision's number and the hash of its content; 0 until the first.
  revision         integer     NOT NULL DEFAULT 0,
  content_hash     text        NOT NULL DEFAULT '',
  -- The time to wait was over at a decision; never taken back, whatever another replica's clock says.
  settled          boolean     NOT NULL DEFAULT false,
  -- Link numbers that the catalog did not know at the newest decision, and the programs whose terms it rests on.
  waiting_links    bigint[]    NOT NULL DEFAULT '{}',
  rests_on         uuid[]      NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, conversion_id)
);
CREATE INDEX conversions_external_id ON conversions (tenant_id, external_id);
CREATE INDEX conversions_occurred_at ON conversions (tenant_id, occurred_at);
CREATE INDEX conversions_waiting ON conversions (tenant_id) WHERE waiting_links <> '{}';

CREATE TABLE reversals (
  tenant_id    uuid        NOT NULL,
  reversal_id  uuid        NOT NULL,
  external_id  text        COLLATE "C" NOT NULL,
  amount_minor bigint,
  currency     text,
  occurred_at  timestamptz NOT NULL,
  test         boolean     NOT NULL,
  PRIMARY KEY (tenant_id, reversal_id)
);
CREATE INDEX reversals_external_id ON reversals (tenant_id, external_id);

-- The link log: what was said to be one person, so that a component can be rebuilt.
CREATE TABLE identities (
  tenant_id   uuid        NOT NULL,
  identity_id uuid        NOT NULL,
  identifiers text[]      NOT NULL,
  occurred_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, identity_id)
);

-- Every identifier of every person, `kind:value`, and its person's root. The roots' rows are what is locked.
CREATE TABLE identifiers (
  tenant_id  uuid NOT NULL,
  identifier text COLLATE "C" NOT NULL,
  root       text COLLATE "C" NOT NULL,
  -- Of a click: the day in its id.
  day        date,
  PRIMARY KEY (tenant_id, identifier)
);
CREATE INDEX identifiers_root ON identifiers (tenant_id, root);

CREATE TABLE attributions (
  tenant_id     uuid        NOT NULL,
  conversion_id uuid        NOT NULL,
  revision      integer     NOT NULL,
  outcome       text        NOT NULL,
  content       jsonb       NOT NULL,
  decided_at    timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, conversion_id, revision)
);

-- Conversions to decide again, and when. Lies outside tenancy, since it is what tells the sweep whose conversions to open.
CREATE TABLE rechecks (
  owner      uuid        NOT NULL,
  conversion uuid        NOT NULL,
  due_at     timestamptz NOT NULL,
  -- When the conversion began to wait.
  since      timestamptz NOT NULL,
  PRIMARY KEY (owner, conversion)
);
CREATE INDEX rechecks_due_at ON rechecks (due_at);

SELECT baton_protect('clicks', '', 'SELECT, INSERT, UPDATE');
SELECT baton_protect('clicks_default', '', '');
SELECT baton_protect('conversions', '', 'SELECT, INSERT, UPDATE');
SELECT baton_protect('reversals', '', 'SELECT, INSERT');
SELECT baton_protect('identities', '', 'SELECT, INSERT');
SELECT baton_protect('identifiers', '', 'SELECT, INSERT, UPDATE');
SELECT baton_protect('attributions', '', 'SELECT, INSERT');

-- Makes the partitions of the days from `days_back` days ago to `days_ahead` days from now; returns how many were made.
-- A day whose clicks already lie in the default partition stays there.
CREATE FUNCTION make_click_partitions(days_back integer, days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public SET lock_timeout = '2s' AS $$
DECLARE
  made integer := 0;
  today date := (now() AT TIME ZONE 'UTC')::date;
  first_day date;
  partition_name text;
BEGIN
  -- One replica at a time; the others find the work done.
  PERFORM pg_advisory_xact_lock(hashtextextended('attribution.click_partitions', 0));
  FOR offset_days IN -days_back .. days_ahead LOOP
    first_day := today + offset_days;
    partition_name := 'clicks_' || to_char(first_day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass('public.' || partition_name) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE public.%I PARTITION OF public.clicks FOR VALUES FROM (%L) TO (%L)', partition_name, first_day, first_day + 1);
      PERFORM public.baton_protect(('public.' || partition_name)::regclass, '', '');
      made := made + 1;
    EXCEPTION WHEN check_violation THEN
      RAISE NOTICE 'clicks of % stay in the default partition', first_day;
    END;
  END LOOP;
  RETURN made;
END $$;
REVOKE ALL ON FUNCTION make_click_partitions(integer, integer) FROM PUBLIC;

DO $$
BEGIN
  EXECUTE format('GRANT EXECUTE ON FUNCTION make_click_partitions(integer, integer) TO %I', replace(current_user, '_owner', '_worker'));
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON rechecks TO %I', replace(current_user, '_owner', '_worker'));
END $$;
