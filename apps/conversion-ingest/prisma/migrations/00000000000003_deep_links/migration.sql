-- Clicks that an app has claimed. The key is what lets a click be claimed once, whatever comes at the same time.
CREATE TABLE deep_link_claims (
  tenant_id uuid NOT NULL,
  click_id text NOT NULL CHECK (click_id ~ '^[A-Za-z0-9_-]{32}$'),
  device_hash text NOT NULL,
  match text NOT NULL CHECK (match IN ('install_referrer', 'token')),
  link_number bigint NOT NULL,
  -- json, not jsonb: a repeat gets the first answer to the letter. Null: the link was not known then, and is looked up again.
  answer json,
  claimed_at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant_id, click_id)
);
SELECT baton_protect('deep_link_claims', 'SELECT, INSERT', '');
