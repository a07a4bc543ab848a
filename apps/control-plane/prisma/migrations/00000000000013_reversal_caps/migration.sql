-- How much one reversal request may take back of a tenant's without being confirmed. Null: as the conversion edge has it.
ALTER TABLE "tenants"
  ADD COLUMN "reversal_cap_conversions" INTEGER,
  ADD COLUMN "reversal_cap_minor" BIGINT;
