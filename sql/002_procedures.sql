-- The bank's procedures: the only way in for transacoes, the ways out for saldo and extrato.
--
-- They run with the caller's rights, and name the schema of everything that is not PostgreSQL's
-- own, so that no search_path changes what they do. They touch only the clientes they are given.
--
-- All money is bigint cents. No sum here can overflow: a debit is refused if
-- saldo < valor - limite, a credit if saldo > 9223372036854775807 - valor, and both sides fit.
--
-- resultado: 0 applied, 1 no such cliente, 2 beyond the limite, 3 beyond 64 bits.
-- A refusal is a result, never an error, and changes nothing.

SET client_min_messages = warning;

-- One transacao. By hand: SELECT * FROM InsertTransacao(1, 1000, 'd', 'almoço');
--
-- saldo and limite are those after it; after a refusal, those it was refused by. What no transacao
-- can be (valor 0, tipo 'x', an empty descricao) is an error by the table's own constraints.
CREATE OR REPLACE FUNCTION banco.InsertTransacao(
    id bigint, valor bigint, tipo text, descricao text,
    OUT saldo bigint, OUT limite bigint, OUT resultado smallint
)
LANGUAGE plpgsql AS $$
DECLARE
    -- The cliente's count of transacoes.
    n bigint;
BEGIN
    -- Whoever comes second waits here, and then sees what the first one left. NO KEY: all but the
    -- row's id may change.
    SELECT c.saldo, c.limite, c.n INTO saldo, limite, n
    FROM banco.clientes AS c WHERE c.id = InsertTransacao.id FOR NO KEY UPDATE;

    IF NOT FOUND THEN
        resultado := 1;
    ELSIF tipo = 'd' AND saldo < valor - limite THEN
        resultado := 2;
    ELSIF tipo = 'c' AND valor > 0 AND saldo > 9223372036854775807 - valor THEN
        resultado := 3;
    ELSE
        resultado := 0;
        -- The time is read under the lock: later in the cliente's order is never earlier in time.
        INSERT INTO banco.transacoes (cliente_id, n, valor, tipo, descricao, realizada_em)
        VALUES (id, n + 1, valor, tipo, descricao, clock_timestamp());
        UPDATE banco.clientes AS c
        SET saldo = c.saldo + CASE tipo WHEN 'd' THEN -valor ELSE valor END, n = c.n + 1
        WHERE c.id = InsertTransacao.id
        RETURNING c.saldo INTO saldo;
    END IF;
END
$$;

-- Many transacoes of any clientes, in one call and one commit: what the server calls under load.
--
-- The arrays are of one length; a debit is a negative valor. The row of arrays that comes back is
-- in the same order, each saldo the one right after its own transacao. Those of one cliente are
-- applied in the order given. One refused is no matter to the others, and nothing that the server
-- sends raises an error. docs/decisions/0001-batch-procedure.md has the shapes that cost more.
CREATE OR REPLACE FUNCTION banco.transacoes_lote(
    ids bigint[], valores bigint[], descricoes text[],
    OUT resultado smallint[], OUT saldo bigint[], OUT limite bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    -- Positions in the arrays: by cliente, and as given within a cliente.
    posicoes bigint[];
    p bigint;
    -- Each transacao's number in its cliente's count; null for a refused one.
    ns bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(ids)]);
    -- The cliente at hand. s is null if there is none of this id.
    cliente bigint;
    s bigint;
    l bigint;
    n_antes bigint;
    n_agora bigint;
    v bigint;
    agora timestamptz;
BEGIN
    IF cardinality(valores) <> cardinality(ids) OR cardinality(descricoes) <> cardinality(ids) THEN
        RAISE EXCEPTION 'the three arrays differ in length' USING ERRCODE = '2202E';
    END IF;
    resultado := array_fill(0::smallint, ARRAY[cardinality(ids)]);
    saldo := ns;
    limite := ns;

    -- All take their locks by ascending id: no two calls ever wait for one another in a circle.
    SELECT array_agg(t.p ORDER BY t.id, t.p) INTO posicoes
    FROM unnest(ids) WITH ORDINALITY AS t (id, p);

    FOREACH p IN ARRAY coalesce(posicoes, '{}') LOOP
        IF ids[p] IS DISTINCT FROM cliente THEN
            IF n_agora > n_antes THEN
                UPDATE banco.clientes SET saldo = s, n = n_agora WHERE id = cliente;
            END IF;
            cliente := ids[p];
            SELECT c.saldo, c.limite, c.n, c.n INTO s, l, n_antes, n_agora
            FROM banco.clientes AS c WHERE c.id = cliente FOR NO KEY UPDATE;
        END IF;
        v := valores[p];
        IF s IS NULL THEN
            resultado[p] := 1;
        ELSIF v < 0 AND s < -v - l THEN
            resultado[p] := 2;
        ELSIF v > 0 AND s > 9223372036854775807 - v THEN
            resultado[p] := 3;
        ELSE
            s := s + v;
            n_agora := n_agora + 1;
            ns[p] := n_agora;
        END IF;
        saldo[p] := s;
        limite[p] := l;
    END LOOP;
    IF n_agora > n_antes THEN
        UPDATE banco.clientes SET saldo = s, n = n_agora WHERE id = cliente;
    END IF;

    -- Read after the last lock: later in any cliente's order is never earlier in time.
    agora := clock_timestamp();
    INSERT INTO banco.transacoes (cliente_id, n, valor, tipo, descricao, realizada_em)
    SELECT t.id, t.n, abs(t.v), CASE WHEN t.v < 0 THEN 'd' ELSE 'c' END, t.d, agora
    FROM (
        SELECT unnest(ids) AS id, unnest(ns) AS n, unnest(valores) AS v, unnest(descricoes) AS d
    ) AS t
    WHERE t.n IS NOT NULL;
END
$$;

-- The extrato, as rows: the newest transacao first, at most ten; saldo, limite and the time of the
-- reading stand in each. Without transacoes it is one row that ends in nulls; no row at all means
-- no such cliente. One statement, so saldo and list are of one snapshot.
--
-- What is read is bounded twice, so that no plan reads more than ten: by the count, should the
-- planner sort (it does where it has no statistics yet), and by LIMIT, which shows it the index.
-- A plain SQL function that is STABLE becomes part of the query that calls it: it costs no call.
CREATE OR REPLACE FUNCTION banco.extrato(id bigint)
RETURNS TABLE (
    saldo bigint, limite bigint, lida_em timestamptz,
    valor bigint, tipo text, descricao text, realizada_em timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT c.saldo, c.limite, clock_timestamp(),
           ultimas.valor, ultimas.tipo, ultimas.descricao, ultimas.realizada_em
    FROM banco.clientes AS c
    LEFT JOIN LATERAL (
        SELECT t.valor, t.tipo, t.descricao, t.realizada_em
        FROM banco.transacoes AS t
        WHERE t.cliente_id = c.id AND t.n > c.n - 10
        ORDER BY t.n DESC
        LIMIT 10
    ) AS ultimas ON true
    WHERE c.id = extrato.id
$$;

-- The extrato as the API shows it. By hand: SELECT jsonb_pretty(GetSaldoClienteById(1));
-- Null if there is no such cliente.
CREATE OR REPLACE FUNCTION banco.GetSaldoClienteById(id bigint) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'saldo', jsonb_build_object(
            'total', c.saldo,
            'data_extrato', to_char(clock_timestamp() AT TIME ZONE 'UTC',
                                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'limite', c.limite
        ),
        'ultimas_transacoes', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'valor', t.valor,
                'tipo', t.tipo,
                'descricao', t.descricao,
                'realizada_em', to_char(t.realizada_em AT TIME ZONE 'UTC',
                                        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            ) ORDER BY t.n DESC)
            FROM banco.transacoes AS t
            WHERE t.cliente_id = c.id AND t.n > c.n - 10
        ), '[]')
    )
    FROM banco.clientes AS c
    WHERE c.id = GetSaldoClienteById.id
$$;
