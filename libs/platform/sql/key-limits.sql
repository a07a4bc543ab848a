-- What a key may not do beyond its scopes: how often, from where, and whether its requests must be signed. Null: no such limit of its own.
ALTER TABLE api_keys
  ADD COLUMN rate_limit jsonb,
  ADD COLUMN allowed_addresses text[],
  ADD COLUMN signed boolean NOT NULL DEFAULT false;
