-- Checks blocks and records those that may be signed. A validator occurs once, in the order of ids.
-- $1 validators, $2 slots, $3 signing roots, $4 floors: 0 above it, 1 below one for keys without a
-- record, 2 below one for all keys. Answers one row for each block: the verdict, and what explains it.
WITH asked AS (
    SELECT *
    FROM unnest($1::int[], $2::numeric[], $3::bytea[], $4::int[])
        WITH ORDINALITY AS asked (id, slot, root, floor, place)
), facts AS (
    SELECT asked.*,
        locked.id IS NOT NULL AS locked,
        v.enabled,
        m.high_watermark_slot AS high,
        l.slot AS low,
        b.id AS same_id, b.signing_root AS same_root
    FROM asked
    JOIN validators v ON v.id = asked.id
    LEFT JOIN unnest(current_setting('signerd.locked')::int[]) AS locked (id) ON locked.id = asked.id
    LEFT JOIN metadata m ON m.id = 1
    LEFT JOIN low_watermarks l ON l.validator_id = asked.id
    LEFT JOIN signed_blocks b ON b.validator_id = asked.id AND b.slot = asked.slot
), decided AS (
    SELECT facts.*, CASE
        WHEN NOT locked THEN 'locked'
        WHEN NOT enabled THEN 'disabled'
        WHEN slot >= high THEN 'high'
        WHEN slot < low THEN 'low'
        WHEN same_root = root THEN 'repeat'
        WHEN same_id IS NOT NULL THEN 'double'
        WHEN floor = 2 OR floor = 1 AND low IS NULL THEN 'floor'
        ELSE 'record' END AS verdict
    FROM facts
), inserted AS (
    INSERT INTO signed_blocks (validator_id, slot, signing_root)
        SELECT id, slot, root FROM decided WHERE verdict = 'record' ORDER BY id
), marked AS (
    -- The first block of a validator sets its low watermark.
    INSERT INTO low_watermarks (validator_id, slot)
        SELECT id, slot FROM decided WHERE verdict = 'record' AND low IS NULL ORDER BY id
        ON CONFLICT (validator_id) DO UPDATE SET slot = excluded.slot
)
SELECT verdict, high, NULL AS source, low AS target, encode(same_root, 'hex') AS root
FROM decided ORDER BY place
