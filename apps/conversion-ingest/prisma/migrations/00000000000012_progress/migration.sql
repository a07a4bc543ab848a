-- What has become of a conversion, as the services behind this one tell it: the newest revision alone, whatever came twice or late. 0: not told yet.
CREATE TABLE progress (
  tenant_id uuid NOT NULL,
  conversion_id uuid NOT NULL,
  attribution_revision int NOT NULL DEFAULT 0,
  attribution jsonb,
  verdict_revision int NOT NULL DEFAULT 0,
  verdict_seq int NOT NULL DEFAULT 0,
  verdict jsonb,
  PRIMARY KEY (tenant_id, conversion_id)
);
SELECT baton_protect('progress', 'SELECT', 'SELECT, INSERT, UPDATE');

-- The rewards of a conversion, each as it stands after its highest sequence.
CREATE TABLE reward_states (
  tenant_id uuid NOT NULL,
  conversion_id uuid NOT NULL,
  reward_id uuid NOT NULL,
  sequence int NOT NULL,
  data jsonb NOT NULL,
  PRIMARY KEY (tenant_id, conversion_id, reward_id)
);
SELECT baton_protect('reward_states', 'SELECT', 'SELECT, INSERT, UPDATE');
