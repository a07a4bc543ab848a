-- Customers who refer: enrolled by their own conversion, and by whose link they came.

ALTER TABLE "program_versions" ADD COLUMN "enrol_customers" BOOLEAN NOT NULL DEFAULT false;

ALTER TABLE "partners"
  ADD COLUMN "referred_by" UUID,
  ADD COLUMN "referral_depth" INTEGER;
CREATE INDEX "partners_referred_by" ON "partners"("tenant_id", "referred_by") WHERE "referred_by" IS NOT NULL;

-- A conversion and the newest of its attributions, whichever came first: their row is what the two meet in. Only of programs that enrol.
CREATE TABLE "referrals" (
  "tenant_id" UUID NOT NULL,
  "conversion_id" UUID NOT NULL,
  -- Of the conversion; null until it has come.
  "program_id" UUID,
  "customer_id" TEXT,
  "occurred_at" TIMESTAMPTZ(3),
  -- Of the attribution; 0 and null until one has come.
  "revision" INTEGER NOT NULL DEFAULT 0,
  "credited_program_id" UUID,
  "credited_partner_id" UUID,
  CONSTRAINT "referrals_pkey" PRIMARY KEY ("tenant_id", "conversion_id")
);
CREATE INDEX "referrals_customer" ON "referrals"("tenant_id", "customer_id", "occurred_at", "conversion_id");
SELECT baton_protect('referrals', '', 'SELECT, INSERT, UPDATE');

-- The worker enrols; it changes nothing else of the catalog.
SELECT baton_grant('program_versions', '', 'SELECT');
SELECT baton_grant('partners', '', 'SELECT, INSERT, UPDATE');
SELECT baton_grant('links', '', 'SELECT, INSERT');
SELECT baton_grant('catalog_clock', '', 'SELECT, UPDATE');
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SEQUENCE link_numbers TO %I', regexp_replace(current_user, '_owner$', '_worker')); END $$;
