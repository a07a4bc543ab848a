-- What was agreed: tenants, programs, partners, links, plans, API keys.

CREATE TABLE "catalog_clock" (
  "id" INTEGER NOT NULL DEFAULT 1 CHECK ("id" = 1),
  "version" BIGINT NOT NULL DEFAULT 0,
  CONSTRAINT "catalog_clock_pkey" PRIMARY KEY ("id")
);
INSERT INTO "catalog_clock" DEFAULT VALUES;

CREATE TABLE "creations" (
  "tenant_id" UUID NOT NULL,
  "kind" TEXT NOT NULL,
  "id" UUID NOT NULL,
  "fingerprint" UUID NOT NULL,
  "answer" JSON NOT NULL,
  CONSTRAINT "creations_pkey" PRIMARY KEY ("tenant_id", "kind", "id")
);

CREATE TABLE "tenants" (
  "tenant_id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "catalog_version" BIGINT NOT NULL,
  "name" TEXT NOT NULL,
  CONSTRAINT "tenants_pkey" PRIMARY KEY ("tenant_id")
);

CREATE TABLE "program_versions" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "catalog_version" BIGINT NOT NULL,
  "name" TEXT NOT NULL,
  "valid_from" TIMESTAMPTZ(3) NOT NULL,
  "destination_hosts" TEXT[],
  "allow_http" BOOLEAN NOT NULL,
  "window_ms" BIGINT NOT NULL,
  "model" TEXT NOT NULL,
  "hold_days" INTEGER NOT NULL,
  "clock_skew_ms" INTEGER NOT NULL,
  "landing_param" TEXT NOT NULL,
  "utm" JSONB NOT NULL,
  "fallback_url" TEXT,
  CONSTRAINT "program_versions_pkey" PRIMARY KEY ("tenant_id", "id", "version")
);

CREATE TABLE "partners" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "catalog_version" BIGINT NOT NULL,
  "kind" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "key" TEXT NOT NULL,
  "customer_id" TEXT,
  CONSTRAINT "partners_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE UNIQUE INDEX "partners_tenant_id_key_key" ON "partners"("tenant_id", "key");
CREATE UNIQUE INDEX "partners_tenant_id_customer_id_key" ON "partners"("tenant_id", "customer_id");

CREATE TABLE "links" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "catalog_version" BIGINT NOT NULL,
  "slug" TEXT NOT NULL,
  "number" BIGINT NOT NULL,
  "program_id" UUID NOT NULL,
  "partner_id" UUID NOT NULL,
  "destination" TEXT NOT NULL,
  "sub_ids" JSONB NOT NULL,
  "referral" BOOLEAN NOT NULL DEFAULT false,
  CONSTRAINT "links_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE UNIQUE INDEX "links_slug_key" ON "links"("slug");
CREATE UNIQUE INDEX "links_number_key" ON "links"("number");
CREATE INDEX "links_tenant_id_partner_id_number_idx" ON "links"("tenant_id", "partner_id", "number");
CREATE INDEX "links_tenant_id_number_idx" ON "links"("tenant_id", "number");
CREATE UNIQUE INDEX "links_one_referral" ON "links"("tenant_id", "program_id", "partner_id") WHERE "referral";
-- A number that was drawn is never drawn again, not even after a rollback: it is what a click id carries.
CREATE SEQUENCE "link_numbers" AS BIGINT MINVALUE 1 MAXVALUE 1099511627775 NO CYCLE;

CREATE TABLE "plan_versions" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "catalog_version" BIGINT NOT NULL,
  "program_id" UUID NOT NULL,
  "name" TEXT NOT NULL,
  "valid_from" TIMESTAMPTZ(3) NOT NULL,
  "kind" TEXT NOT NULL,
  "amount_minor" BIGINT,
  "currency" TEXT,
  "basis_points" INTEGER,
  "conversion_types" TEXT[],
  CONSTRAINT "plan_versions_pkey" PRIMARY KEY ("tenant_id", "id", "version")
);

CREATE TABLE "api_keys" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "catalog_version" BIGINT NOT NULL,
  "name" TEXT NOT NULL,
  "short_id" TEXT NOT NULL,
  "digest" TEXT NOT NULL,
  "scopes" TEXT[],
  "test" BOOLEAN NOT NULL,
  "expires_at" TIMESTAMPTZ(3),
  CONSTRAINT "api_keys_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE UNIQUE INDEX "api_keys_id_key" ON "api_keys"("id");
CREATE UNIQUE INDEX "api_keys_digest_key" ON "api_keys"("digest");

CREATE TABLE "key_digests" (
  "digest" TEXT NOT NULL,
  "owner" UUID NOT NULL,
  "key_id" UUID NOT NULL,
  CONSTRAINT "key_digests_pkey" PRIMARY KEY ("digest")
);

-- Terms are added, never edited; nothing of the catalog is ever deleted. The worker only carries the outbox away.
SELECT baton_protect('creations', 'SELECT, INSERT', '');
SELECT baton_protect('tenants', 'SELECT, INSERT, UPDATE', '');
SELECT baton_protect('program_versions', 'SELECT, INSERT', '');
SELECT baton_protect('partners', 'SELECT, INSERT, UPDATE', '');
SELECT baton_protect('links', 'SELECT, INSERT, UPDATE', '');
SELECT baton_protect('plan_versions', 'SELECT, INSERT', '');
SELECT baton_protect('api_keys', 'SELECT, INSERT, UPDATE', '');

SELECT baton_grant('catalog_clock', 'SELECT, UPDATE', '');
SELECT baton_grant('key_digests', 'SELECT, INSERT', '');
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SEQUENCE link_numbers TO %I', regexp_replace(current_user, '_owner$', '_api')); END $$;
