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

\set ON_ERROR_STOP on
SET client_min_messages = warning;

-- 001 made it, or refused the bank and said why: then its own procedures stay.
SELECT FROM banco.lotes LIMIT 0 \g /dev/null

-- Whether a saldo bears it; a debit is a negative valor, and of null it is null. A plain SQL
-- function becomes part of the expression that calls it: it costs no call.
CREATE OR REPLACE FUNCTION banco.cabe(saldo bigint, limite bigint, valor bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN valor < 0 THEN saldo >= -valor - limite
                ELSE saldo <= 9223372036854775807 - valor END
$$;

-- Whether they are arrays of one dimension and one length, with subscripts from 1 on.
CREATE OR REPLACE FUNCTION banco.listas(ids bigint[], valores bigint[], descricoes text[])
RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT cardinality(valores) = cardinality(ids) AND cardinality(descricoes) = cardinality(ids)
        AND 1 = array_ndims(ids) AND 1 = array_ndims(valores) AND 1 = array_ndims(descricoes)
        AND 1 = array_lower(ids, 1) AND 1 = array_lower(valores, 1)
        AND 1 = array_lower(descricoes, 1)
$$;

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
    delta bigint NOT NULL := CASE tipo::banco.tipo WHEN 'd' THEN -1 WHEN 'c' THEN 1 END
        * valor::banco.valor;
    -- The cliente's count of transacoes.
    n bigint;
    lote bigint;
BEGIN
    LOOP
        -- Judged and done in one statement. Whoever comes second waits here for the row's lock,
        -- and is judged by what the first one left.
        UPDATE banco.clientes AS c SET saldo = c.saldo + delta, n = c.n + 1,
            lotes = (nextval('banco.lotes_id') || c.lotes)[1:10]
        WHERE c.id = InsertTransacao.id AND banco.cabe(c.saldo, c.limite, delta)
        RETURNING c.saldo, c.limite, c.n, c.lotes[1] INTO saldo, limite, n, lote;
        IF FOUND THEN
            -- The time is read under the lock: later in a cliente's order is never earlier in time.
            INSERT INTO banco.lotes (id, realizada_em, clientes, ns, valores, descricoes)
            VALUES (lote, clock_timestamp(), ARRAY[id], ARRAY[n], ARRAY[delta], ARRAY[descricao]);
            resultado := 0;
            RETURN;
        END IF;

        -- Refused, or there is no such cliente.
        SELECT c.saldo, c.limite INTO saldo, limite
        FROM banco.clientes AS c WHERE c.id = InsertTransacao.id;
        IF NOT FOUND THEN
            resultado := 1;
            RETURN;
        ELSIF NOT banco.cabe(saldo, limite, delta) THEN
            resultado := CASE WHEN delta < 0 THEN 2 ELSE 3 END;
            RETURN;
        END IF;
        -- Since the refusal somebody made room: once more.
    END LOOP;
END
$$;

-- Many transacoes of any clientes, in one call and one commit.
--
-- The arrays are of one length; a debit is a negative valor. The row of arrays that comes back is
-- in the same order, each saldo the one right after its own transacao. Those of one cliente are
-- applied in the order given. One refused is no matter to the others, and nothing that the server
-- sends raises an error. docs/decisions/0001-batch-procedure.md has the shapes that cost more.
--
-- Each cliente's positions are searched for in all of ids: the cheapest by a tenth up to some
-- hundreds, and too dear for many thousands of clientes at once. The server sends 1,024 at most.
CREATE OR REPLACE FUNCTION banco.transacoes_lote(
    ids bigint[], valores bigint[], descricoes text[],
    OUT resultado smallint[], OUT saldo bigint[], OUT limite bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    -- A row of clientes, as it was when we locked it.
    cliente record;
    -- A position in the arrays.
    p integer;
    v bigint;
    -- The cliente's saldo and count as they become.
    s bigint;
    n_agora bigint;
    -- Each transacao's number in its cliente's count; null for a refused one.
    ns bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(ids)]);
    lote bigint;
    -- The clientes that changed, as they become.
    mudados bigint[] := '{}';
    saldos bigint[] := '{}';
    contagens bigint[] := '{}';
BEGIN
    -- Null, hence no error, for '{}'.
    IF NOT banco.listas(ids, valores, descricoes) THEN
        RAISE EXCEPTION 'the three arrays are not lists of one length' USING ERRCODE = '2202E';
    END IF;
    -- What is not found below stays so.
    resultado := array_fill(1::smallint, ARRAY[cardinality(ids)]);
    saldo := ns;
    limite := ns;

    -- All take their locks by ascending id: no two calls ever wait for one another in a circle.
    -- NO KEY: nobody changes the id itself.
    FOR cliente IN
        SELECT c.id, c.saldo, c.limite, c.n FROM banco.clientes AS c
        WHERE c.id = ANY (ids) ORDER BY c.id FOR NO KEY UPDATE
    LOOP
        s := cliente.saldo;
        n_agora := cliente.n;
        FOREACH p IN ARRAY array_positions(ids, cliente.id) LOOP
            v := valores[p];
            IF NOT banco.cabe(s, cliente.limite, v) THEN
                resultado[p] := CASE WHEN v < 0 THEN 2 ELSE 3 END;
            ELSE
                resultado[p] := 0;
                s := s + v;
                n_agora := n_agora + 1;
                ns[p] := n_agora;
            END IF;
            saldo[p] := s;
            limite[p] := cliente.limite;
        END LOOP;
        IF n_agora > cliente.n THEN
            mudados := mudados || cliente.id;
            saldos := saldos || s;
            contagens := contagens || n_agora;
        END IF;
    END LOOP;

    IF cardinality(mudados) = 0 THEN
        RETURN;
    END IF;
    -- All are locked by now: in which order they are written is no matter, and along a cliente's
    -- order neither lotes nor times ever decrease.
    lote := nextval('banco.lotes_id');
    UPDATE banco.clientes AS c SET saldo = u.s, n = u.n,
        lotes = (array_fill(lote, ARRAY[least(u.n - c.n, 10)::integer]) || c.lotes)[1:10]
    FROM (
        SELECT unnest(mudados) AS id, unnest(saldos) AS s, unnest(contagens) AS n
    ) AS u
    WHERE c.id = u.id;

    -- As they came: to leave out the refused ones would cost a call 5 to 15% more.
    INSERT INTO banco.lotes (id, realizada_em, clientes, ns, valores, descricoes)
    VALUES (lote, clock_timestamp(), ids, ns, valores, descricoes);
END
$$;

-- The same where few clientes come twice: the first `primeiras` transacoes are of as many clientes,
-- by ascending id, and those behind them are further ones of the same clientes. Else it is an
-- error, or there is no such cliente; nothing is applied. The former are locked, judged and written
-- in one statement, so no row is searched for twice: the more clientes, the more that saves
-- (docs/decisions/0001-batch-procedure.md). Each of the latter is a statement of its own.
--
-- An UPDATE takes its locks as it finds the rows. With nothing else to find them by it is the key's
-- index, and so by ascending id, as everywhere.
CREATE OR REPLACE FUNCTION banco.transacoes_distintas(
    ids bigint[], valores bigint[], descricoes text[], primeiras bigint,
    OUT resultado smallint[], OUT saldo bigint[], OUT limite bigint[]
)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    primeiros bigint[] NOT NULL := ids[1:primeiras];
    -- A row of clientes, as it became.
    cliente record;
    achados integer NOT NULL := 0;
    -- Positions in the arrays; width_bucket finds a cliente's first one by halves.
    p integer;
    primeira integer;
    -- Each transacao's number in its cliente's count; null for a refused one.
    ns bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(ids)]);
    lote bigint := nextval('banco.lotes_id');
    -- Something was applied.
    mudou boolean NOT NULL := false;
    -- Another call's later lote came to a cliente before ours.
    atrasado boolean NOT NULL := false;
    novo bigint;
BEGIN
    -- Null, hence no error, for '{}'.
    IF NOT banco.listas(ids, valores, descricoes) THEN
        RAISE EXCEPTION 'the three arrays are not lists of one length' USING ERRCODE = '2202E';
    END IF;
    IF primeiras <> cardinality(primeiros) THEN
        RAISE EXCEPTION 'there are not % ids', primeiras USING ERRCODE = '2202E';
    END IF;
    -- What is not found below stays so.
    resultado := array_fill(1::smallint, ARRAY[cardinality(ids)]);
    saldo := ns;
    limite := ns;

    -- Whoever comes second waits here for a row's lock, and is judged by what the first one left.
    -- The row of a refused one is written back as it was, so that its saldo comes back under the
    -- lock, too. A null valor is not refused (NOT null is not true): saldo becomes null, an error.
    FOR cliente IN
        UPDATE banco.clientes AS c SET
            saldo = CASE
                WHEN NOT banco.cabe(c.saldo, c.limite, valores[width_bucket(c.id, primeiros)])
                THEN c.saldo ELSE c.saldo + valores[width_bucket(c.id, primeiros)] END,
            n = CASE
                WHEN NOT banco.cabe(c.saldo, c.limite, valores[width_bucket(c.id, primeiros)])
                THEN c.n ELSE c.n + 1 END,
            lotes = CASE
                WHEN NOT banco.cabe(c.saldo, c.limite, valores[width_bucket(c.id, primeiros)])
                THEN c.lotes ELSE (lote || c.lotes)[1:10] END
        WHERE c.id = ANY (primeiros)
        RETURNING c.id, c.saldo, c.limite, c.n, c.lotes[1] AS lote, c.lotes[2] AS anterior
    LOOP
        achados := achados + 1;
        p := width_bucket(cliente.id, primeiros);
        IF ids[p] <> cliente.id THEN
            RAISE EXCEPTION 'the ids must ascend' USING ERRCODE = '2202E';
        END IF;
        saldo[p] := cliente.saldo;
        limite[p] := cliente.limite;
        IF cliente.lote = lote THEN
            resultado[p] := 0;
            ns[p] := cliente.n;
            mudou := true;
            IF cliente.anterior > lote THEN
                atrasado := true;
            END IF;
        ELSE
            resultado[p] := CASE WHEN valores[p] < 0 THEN 2 ELSE 3 END;
        END IF;
    END LOOP;
    -- If each id was found, at a place of its own, they ascend. (Two IFs and no AND: a condition
    -- with a query in it starts the executor, even where what stands before it is false.)
    IF achados < primeiras THEN
        IF EXISTS (
            SELECT FROM generate_subscripts(primeiros, 1) AS i
            WHERE primeiros[i] <= primeiros[i - 1]
        ) THEN
            RAISE EXCEPTION 'the ids must ascend' USING ERRCODE = '2202E';
        END IF;
    END IF;

    -- Each of their rows is locked by now, and near at hand.
    FOR outra IN primeiras + 1 .. cardinality(ids) LOOP
        primeira := width_bucket(ids[outra], primeiros);
        IF (ids[outra] = primeiros[primeira]) IS NOT true THEN
            RAISE EXCEPTION 'id % is not among the first', ids[outra] USING ERRCODE = '2202E';
        END IF;
        -- Nobody's row was locked there, and whoever comes meanwhile is to be locked in his turn.
        CONTINUE WHEN resultado[primeira] = 1;
        UPDATE banco.clientes AS c SET saldo = c.saldo + valores[outra], n = c.n + 1,
            lotes = (lote || c.lotes)[1:10]
        WHERE c.id = ids[outra] AND banco.cabe(c.saldo, c.limite, valores[outra]) IS NOT false
        RETURNING c.saldo, c.limite, c.n, c.lotes[2] AS anterior INTO cliente;
        IF FOUND THEN
            resultado[outra] := 0;
            ns[outra] := cliente.n;
            mudou := true;
            IF cliente.anterior > lote THEN
                atrasado := true;
            END IF;
        ELSE
            resultado[outra] := CASE WHEN valores[outra] < 0 THEN 2 ELSE 3 END;
            SELECT c.saldo, c.limite INTO cliente FROM banco.clientes AS c WHERE c.id = ids[outra];
        END IF;
        saldo[outra] := cliente.saldo;
        limite[outra] := cliente.limite;
    END LOOP;

    IF NOT mudou THEN
        RETURN;
    END IF;
    -- Along a cliente's order lotes never decrease. All are locked by now, so a number taken now is
    -- above those that they name.
    IF atrasado THEN
        novo := nextval('banco.lotes_id');
        UPDATE banco.clientes AS c SET lotes = array_replace(c.lotes, lote, novo)
        WHERE c.id = ANY (primeiros) AND c.lotes[1] = lote;
        lote := novo;
    END IF;
    INSERT INTO banco.lotes (id, realizada_em, clientes, ns, valores, descricoes)
    VALUES (lote, clock_timestamp(), ids, ns, valores, descricoes);
END
$$;

-- Replicas built before there was `primeiras` call this one; what follows 0.1.0 drops it.
CREATE OR REPLACE FUNCTION banco.transacoes_distintas(
    ids bigint[], valores bigint[], descricoes text[],
    OUT resultado smallint[], OUT saldo bigint[], OUT limite bigint[]
)
LANGUAGE sql AS $$
    SELECT * FROM banco.transacoes_distintas(ids, valores, descricoes, cardinality(ids))
$$;

-- The extrato, as rows: the newest transacao first, at most ten; saldo, limite and the time of the
-- reading stand in each. Without transacoes it is one row that ends in nulls; no row at all means
-- no such cliente. One statement, so saldo and list are of one snapshot.
--
-- The cliente's row says which lotes hold the last ten, and the server's sessions read them by
-- their ids, whatever the statistics say (SETTINGS in src/worker/link.rs).
-- A plain SQL function that is STABLE becomes part of the query that calls it: it costs no call.
CREATE OR REPLACE FUNCTION banco.extrato(id bigint)
RETURNS TABLE (
    saldo bigint, limite bigint, lida_em timestamptz,
    valor bigint, tipo text, descricao text, realizada_em timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT c.saldo, c.limite, clock_timestamp(),
           abs(ultimas.valor),
           CASE WHEN ultimas.valor < 0 THEN 'd' WHEN ultimas.valor > 0 THEN 'c' END,
           ultimas.descricao, ultimas.realizada_em
    FROM banco.clientes AS c
    LEFT JOIN LATERAL (
        SELECT l.valores[p] AS valor, l.descricoes[p] AS descricao, l.realizada_em
        FROM (
            -- With '{}' behind it an array is fetched once: of a flight beyond its page, each
            -- element would fetch all of it anew.
            SELECT l.clientes || '{}' AS clientes, l.ns || '{}' AS ns,
                   l.valores, l.descricoes, l.realizada_em
            FROM banco.lotes AS l WHERE l.id = ANY (c.lotes) OFFSET 0
        ) AS l, unnest(array_positions(l.clientes, c.id)) AS p
        WHERE l.ns[p] > c.n - 10
        ORDER BY l.ns[p] DESC
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
            'total', max(e.saldo),
            'data_extrato', to_char(max(e.lida_em) AT TIME ZONE 'UTC',
                                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'limite', max(e.limite)
        ),
        'ultimas_transacoes', coalesce(jsonb_agg(jsonb_build_object(
            'valor', e.valor,
            'tipo', e.tipo,
            'descricao', e.descricao,
            'realizada_em', to_char(e.realizada_em AT TIME ZONE 'UTC',
                                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        ) ORDER BY e.ordinality) FILTER (WHERE e.valor IS NOT NULL), '[]')
    )
    FROM banco.extrato(GetSaldoClienteById.id) WITH ORDINALITY AS e
    HAVING count(*) > 0
$$;
