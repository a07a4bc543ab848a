-- What a key may not do beyond its scopes: in which program, how often, from where, and whether its requests must be signed. Null: no such limit of its own.
ALTER TABLE "api_keys"
  ADD COLUMN "program_id" UUID,
  ADD COLUMN "rate_limit" JSONB,
  ADD COLUMN "allowed_addresses" TEXT[],
  ADD COLUMN "signed" BOOLEAN NOT NULL DEFAULT false;
