-- Checks votes and records those that may be signed. A validator occurs once, in the order of ids.
-- $1 validators, $2 sources, $3 targets, $4 signing roots, $5 floors: 0 above it, 1 below one for keys
-- without a record, 2 below one for all keys. Answers one row for each vote: the verdict, and the vote on
-- record that explains it.
WITH asked AS (
    SELECT *
    FROM unnest($1::int[], $2::numeric[], $3::numeric[], $4::bytea[], $5::int[])
        WITH ORDINALITY AS asked (id, source, target, root, floor, place)
), facts AS (
    SELECT asked.*,
        locked.id IS NOT NULL AS locked,
        v.enabled,
        m.high_watermark_epoch AS high,
        l.source_epoch AS low_source, l.target_epoch AS low_target,
        same.id AS same_id, same.source_epoch AS same_source, same.signing_root AS same_root,
        around.source_epoch AS around_source, around.target_epoch AS around_target,
        around.signing_root AS around_root,
        inside.source_epoch AS inside_source, inside.target_epoch AS inside_target,
        inside.signing_root AS inside_root
    FROM asked
    JOIN validators v ON v.id = asked.id
    LEFT JOIN unnest(current_setting('signerd.locked')::int[]) AS locked (id) ON locked.id = asked.id
    LEFT JOIN metadata m ON m.id = 1
    LEFT JOIN low_watermarks l ON l.validator_id = asked.id
    LEFT JOIN signed_attestations same ON same.validator_id = asked.id AND same.target_epoch = asked.target
    LEFT JOIN LATERAL (
        SELECT * FROM signed_attestations
        WHERE validator_id = asked.id AND source_epoch < asked.source AND target_epoch > asked.target
        LIMIT 1
    ) AS around ON true
    LEFT JOIN LATERAL (
        -- The target of a vote is not below its source, so the index finds the few that can be inside.
        SELECT * FROM signed_attestations
        WHERE validator_id = asked.id AND source_epoch > asked.source AND target_epoch < asked.target
            AND target_epoch > asked.source
        LIMIT 1
    ) AS inside ON true
), decided AS (
    SELECT facts.*, CASE
        WHEN NOT locked THEN 'locked'
        WHEN NOT enabled THEN 'disabled'
        WHEN greatest(source, target) >= high THEN 'high'
        WHEN source < low_source THEN 'low source'
        WHEN same_root = root AND same_source = source THEN 'repeat'
        WHEN same_id IS NOT NULL THEN 'double'
        WHEN target <= low_target THEN 'low target'
        WHEN around_target IS NOT NULL THEN 'surrounded'
        WHEN inside_target IS NOT NULL THEN 'surrounding'
        WHEN floor = 2 OR floor = 1 AND low_target IS NULL THEN 'floor'
        ELSE 'record' END AS verdict
    FROM facts
), inserted AS (
    INSERT INTO signed_attestations (validator_id, source_epoch, target_epoch, signing_root)
        SELECT id, source, target, root FROM decided WHERE verdict = 'record' ORDER BY id
), marked AS (
    -- The first vote of a validator sets its low watermarks.
    INSERT INTO low_watermarks (validator_id, source_epoch, target_epoch)
        SELECT id, source, target FROM decided WHERE verdict = 'record' AND low_target IS NULL ORDER BY id
        ON CONFLICT (validator_id) DO UPDATE
            SET source_epoch = excluded.source_epoch, target_epoch = excluded.target_epoch
), explained AS (
    SELECT place, verdict, high,
        CASE verdict
            WHEN 'double' THEN same_source
            WHEN 'surrounded' THEN around_source
            WHEN 'surrounding' THEN inside_source
            ELSE low_source END AS source,
        CASE verdict
            WHEN 'double' THEN target
            WHEN 'surrounded' THEN around_target
            WHEN 'surrounding' THEN inside_target
            ELSE low_target END AS target,
        CASE verdict
            WHEN 'double' THEN same_root
            WHEN 'surrounded' THEN around_root
            WHEN 'surrounding' THEN inside_root END AS root
    FROM decided
)
SELECT verdict, high, source, target, encode(root, 'hex') AS root FROM explained ORDER BY place
