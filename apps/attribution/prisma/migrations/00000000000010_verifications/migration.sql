-- That a conversion which was told of as pending is one indeed. It may come before its conversion, as a reversal may.
CREATE TABLE verifications (
  tenant_id       uuid        NOT NULL,
  verification_id uuid        NOT NULL,
  external_id     text        COLLATE "C" NOT NULL,
  occurred_at     timestamptz NOT NULL,
  test            boolean     NOT NULL,
  PRIMARY KEY (tenant_id, verification_id)
);
CREATE INDEX verifications_external_id ON verifications (tenant_id, external_id);
SELECT baton_protect('verifications', '', 'SELECT, INSERT');

-- Worth nothing until a verification names it.
ALTER TABLE conversions ADD COLUMN pending_verification boolean NOT NULL DEFAULT false;
