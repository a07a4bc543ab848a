-- What links and programs say to the edge beyond a destination, and tenants' own domains.

ALTER TABLE "program_versions"
  ADD COLUMN "utm_convention" JSONB,
  ADD COLUMN "deep_link_schemes" TEXT[] DEFAULT ARRAY[]::TEXT[],
  ADD COLUMN "app_stores" JSONB;

ALTER TABLE "links"
  ADD COLUMN "utm" JSONB,
  ADD COLUMN "starts_at" TIMESTAMPTZ(3),
  ADD COLUMN "ends_at" TIMESTAMPTZ(3),
  ADD COLUMN "click_cap" BIGINT,
  ADD COLUMN "fallback_url" TEXT,
  ADD COLUMN "targets" JSONB,
  ADD COLUMN "deep_link" TEXT;

CREATE TABLE "domains" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "catalog_version" BIGINT NOT NULL,
  "host" TEXT NOT NULL,
  "root_url" TEXT,
  "apple_apps" JSONB NOT NULL,
  "android_apps" JSONB NOT NULL,
  CONSTRAINT "domains_pkey" PRIMARY KEY ("tenant_id", "id")
);
-- Over all tenants, of deleted ones too: the redirect knows a tenant by the host, and must never see one host with two.
CREATE UNIQUE INDEX "domains_host_key" ON "domains"("host");

SELECT baton_protect('domains', 'SELECT, INSERT, UPDATE', '');
