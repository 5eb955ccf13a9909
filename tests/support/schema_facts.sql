-- What of a schema matters to those who use it, one fact a line; names of what is made by itself included.
SELECT fact FROM (
    SELECT format('column %s.%s %s %s default %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END, coalesce(pg_get_expr(d.adbin, d.adrelid), 'none')) AS fact
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT format('constraint %s of %s %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT format('index %s', pg_get_indexdef(indexrelid)) FROM pg_index
    JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT format('trigger %s', pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT format('sequence %s %s from %s by %s', seqrelid::regclass, format_type(seqtypid, NULL), seqstart, seqincrement)
    FROM pg_sequence
    UNION ALL
    SELECT format('function %s(%s) %s %s %s', proname, pg_get_function_arguments(p.oid),
        pg_get_function_result(p.oid), lanname, provolatile)
    FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT format('row database_version %s %s', id, version) FROM database_version
) AS facts ORDER BY fact COLLATE "C";
