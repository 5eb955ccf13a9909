CREATE TABLE validators (
    id serial PRIMARY KEY,
    public_key bytea NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    CONSTRAINT validators_public_key_key UNIQUE (public_key)
);

CREATE TABLE signed_blocks (
    validator_id integer NOT NULL REFERENCES validators (id),
    slot numeric(20) NOT NULL,
    signing_root bytea,
    id bigserial PRIMARY KEY,
    CONSTRAINT unique_signed_block UNIQUE (validator_id, slot)
);
CREATE INDEX signed_blocks_validator_id_slot_idx ON signed_blocks (validator_id, slot);

CREATE TABLE signed_attestations (
    validator_id integer REFERENCES validators (id),
    source_epoch numeric(20) NOT NULL,
    target_epoch numeric(20) NOT NULL,
    signing_root bytea,
    id bigserial PRIMARY KEY,
    CONSTRAINT unique_signed_attestation UNIQUE (validator_id, target_epoch)
);
CREATE INDEX signed_attestations_validator_id_target_epoch_idx
    ON signed_attestations (validator_id, target_epoch);

CREATE TABLE low_watermarks (
    validator_id integer NOT NULL REFERENCES validators (id),
    slot numeric(20),
    target_epoch numeric(20),
    source_epoch numeric(20),
    CONSTRAINT low_watermarks_validator_id_key UNIQUE (validator_id),
    CONSTRAINT both_epochs_set_or_null
        CHECK (target_epoch IS NOT NULL AND source_epoch IS NOT NULL OR target_epoch IS NULL AND source_epoch IS NULL)
);

CREATE TABLE metadata (
    id integer PRIMARY KEY,
    genesis_validators_root bytea NOT NULL,
    high_watermark_epoch numeric(20),
    high_watermark_slot numeric(20)
);

CREATE TABLE database_version (
    id integer PRIMARY KEY,
    version integer NOT NULL
);

CREATE FUNCTION check_low_watermarks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    high metadata%ROWTYPE;
BEGIN
    SELECT * INTO high FROM metadata LIMIT 1;
    IF NEW.slot > high.high_watermark_slot THEN
        RAISE EXCEPTION 'low slot % is above the high watermark %', NEW.slot, high.high_watermark_slot;
    END IF;
    IF greatest(NEW.source_epoch, NEW.target_epoch) > high.high_watermark_epoch THEN
        RAISE EXCEPTION 'low epochs % and % are above the high watermark %',
            NEW.source_epoch, NEW.target_epoch, high.high_watermark_epoch;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER check_before_insert_or_update_low_watermarks
    BEFORE INSERT OR UPDATE ON low_watermarks
    FOR EACH ROW EXECUTE FUNCTION check_low_watermarks();

CREATE FUNCTION check_high_watermarks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    low_slot numeric;
    low_epoch numeric;
BEGIN
    SELECT max(slot), greatest(max(source_epoch), max(target_epoch))
        INTO low_slot, low_epoch FROM low_watermarks;
    IF NEW.high_watermark_slot <= low_slot THEN
        RAISE EXCEPTION 'high slot % must be above the low watermark %', NEW.high_watermark_slot, low_slot;
    END IF;
    IF NEW.high_watermark_epoch <= low_epoch THEN
        RAISE EXCEPTION 'high epoch % must be above the low watermark %', NEW.high_watermark_epoch, low_epoch;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER check_before_insert_or_update_high_watermarks
    BEFORE INSERT OR UPDATE ON metadata
    FOR EACH ROW EXECUTE FUNCTION check_high_watermarks();

CREATE FUNCTION upsert_validators(_vals bytea[])
    RETURNS TABLE (v_id integer, v_public_key bytea) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO validators (public_key)
        SELECT DISTINCT wanted.key FROM unnest(_vals) AS wanted (key) ORDER BY wanted.key
        ON CONFLICT ON CONSTRAINT validators_public_key_key DO NOTHING;
    RETURN QUERY
        SELECT validators.id, validators.public_key
        FROM unnest(_vals) WITH ORDINALITY AS wanted (key, place)
        JOIN validators ON validators.public_key = wanted.key
        ORDER BY wanted.place;
END;
$$;

INSERT INTO database_version (id, version) VALUES (1, 12);
