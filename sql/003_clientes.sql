-- The five clientes of the contest. Who is there already stays as he is.

INSERT INTO banco.clientes (id, limite)
VALUES (1, 100000), (2, 80000), (3, 1000000), (4, 10000000), (5, 500000)
ON CONFLICT (id) DO NOTHING;
