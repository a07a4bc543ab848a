-- What a referral code may be: a link's slug, or a partner's key. As a plain column: under row-level security an expression over the entity's
-- data finds no index. Generated, so that entities of before this migration have it too.
ALTER TABLE catalog_entities ADD COLUMN code text COLLATE "C" GENERATED ALWAYS AS (CASE type WHEN 'link' THEN data->>'slug' WHEN 'partner' THEN data->>'key' END) STORED;
CREATE INDEX catalog_codes ON catalog_entities (tenant_id, code) WHERE code IS NOT NULL;
