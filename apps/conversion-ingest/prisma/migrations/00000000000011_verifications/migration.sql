-- That a pending conversion was verified is a fact of its own kind.
ALTER TABLE facts DROP CONSTRAINT facts_kind_check, ADD CONSTRAINT facts_kind_check CHECK (kind IN ('conversion', 'reversal', 'identity', 'verification'));
