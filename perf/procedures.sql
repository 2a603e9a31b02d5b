-- What a flight costs PostgreSQL by each procedure that could take it, called in turn within one
-- session, each call committed: a ratio of two figures of one line holds on any machine.
--
-- In a database of its own, named calls, which is thrown away: it makes clientes and moves their
-- money. Some seconds.
--
--     createdb calls
--     psql -X -v ON_ERROR_STOP=1 -d calls -f sql/001_schema.sql -f sql/002_procedures.sql \
--         -f sql/003_clientes.sql -f perf/procedures.sql
--     dropdb calls
--
-- On the server of `cargo xtask up` PGUSER is postgres and PGHOST the folder of the socket that
-- `cargo xtask status` names.
--
-- -v clientes=1000000 for more of them than 100,000 (never under 1,000), -v times=2000 for more
-- calls than 500. Prints, for flights of so many transacoes of as many clientes, and so many more
-- of some of these, µs a call, the median: transacoes_lote, transacoes_distintas, and the second
-- over the first; for flights of one also InsertTransacao.

\if :{?clientes}
\else
    \set clientes 100000
\endif
\if :{?times}
\else
    \set times 500
\endif
\set QUIET on
\set ON_ERROR_STOP on
DO $$
BEGIN
    IF current_database() <> 'calls' THEN
        RAISE EXCEPTION 'this would spoil a bank: run it in a database of its own, named calls';
    END IF;
END
$$;
SET client_min_messages = warning;
-- As the server's sessions (SETTINGS in src/worker/link.rs).
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
-- The flush is the same for all.
SET synchronous_commit = off;

INSERT INTO banco.clientes (id, limite)
SELECT id, 1000000000 FROM generate_series(6, :clientes) AS id;
UPDATE banco.clientes SET limite = 1000000000;
VACUUM (FULL, ANALYZE) banco.clientes;

CREATE TEMPORARY TABLE calls (
    flight integer, again integer, clientes bigint, called text, us double precision
);
CREATE PROCEDURE pg_temp.measure(flight integer, again integer, among bigint, times integer)
LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    valores bigint[];
    descricoes text[];
    primeiras bigint;
    -- There and back: each follows the other as often.
    called text[] := '{lote,distintas,distintas,lote}';
    one text;
    since timestamptz;
    until timestamptz;
BEGIN
    IF flight = 1 THEN
        called := '{insert,lote,distintas,distintas,lote,insert}';
    END IF;
    FOR i IN 1..times LOOP
        FOREACH one IN ARRAY called LOOP
            SELECT array_agg(c.id ORDER BY c.id), array_agg(1 + c.id % 100),
                   array_agg('descricao'::text)
            INTO ids, valores, descricoes
            FROM (
                SELECT DISTINCT 1 + floor(random() * among)::bigint AS id
                FROM generate_series(1, 3 * flight) LIMIT flight
            ) AS c;
            -- Each at most once more, as it is where many are active.
            primeiras := cardinality(ids);
            ids := ids || ids[1:again];
            valores := valores || valores[1:again];
            descricoes := descricoes || descricoes[1:again];
            since := clock_timestamp();
            CASE one
                WHEN 'insert' THEN
                    PERFORM banco.InsertTransacao(ids[1], valores[1], 'c', descricoes[1]);
                WHEN 'lote' THEN
                    PERFORM banco.transacoes_lote(ids, valores, descricoes);
                ELSE
                    PERFORM banco.transacoes_distintas(ids, valores, descricoes, primeiras);
            END CASE;
            until := clock_timestamp();
            INSERT INTO calls
            VALUES (flight, again, among, one, extract(epoch FROM until - since) * 1000000);
            COMMIT;
        END LOOP;
    END LOOP;
END
$$;

CALL pg_temp.measure(1, 0, 5, :times);
CALL pg_temp.measure(2, 0, 5, :times);
CALL pg_temp.measure(3, 0, 5, :times);
CALL pg_temp.measure(8, 1, :clientes, :times);
CALL pg_temp.measure(16, 1, :clientes, :times);
CALL pg_temp.measure(20, 0, :clientes, :times);
CALL pg_temp.measure(64, 0, :clientes, :times);
CALL pg_temp.measure(64, 1, :clientes, :times);
CALL pg_temp.measure(64, 4, :clientes, :times);
CALL pg_temp.measure(64, 8, :clientes, :times);

SELECT flight, again, clientes, "insert", lote, distintas,
       round((distintas / lote)::numeric, 2) AS "distintas / lote"
FROM (
    SELECT flight, again, clientes,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE called = 'insert')
               AS "insert",
           percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE called = 'lote') AS lote,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE called = 'distintas')
               AS distintas
    FROM calls GROUP BY flight, again, clientes
) AS medians
ORDER BY flight, again;
