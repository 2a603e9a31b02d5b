-- What role `crebito` may do where it does not own the tables: as much as the procedures, which run
-- with its rights. It reads, writes a transacao, changes saldo and n; it changes nothing that was
-- written, and deletes nothing. Run it as the owner, in the bank's database, after sql/.

SELECT current_database() AS database \gset
REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO crebito;
GRANT USAGE ON SCHEMA banco TO crebito;
GRANT SELECT, UPDATE (saldo, n) ON banco.clientes TO crebito;
GRANT SELECT, INSERT ON banco.transacoes TO crebito;
