-- What role `crebito` may do where it does not own the tables: as much as the procedures, which run
-- with its rights. It reads, writes a lote, changes a cliente's saldo, n and lotes; it changes no
-- lote that was written, and deletes nothing. Run it as the owner, in the bank's database, after
-- sql/.

SELECT current_database() AS database \gset
REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO crebito;
GRANT USAGE ON SCHEMA banco TO crebito;
GRANT SELECT, UPDATE (saldo, n, lotes) ON banco.clientes TO crebito;
GRANT SELECT, INSERT ON banco.lotes TO crebito;
GRANT USAGE ON SEQUENCE banco.lotes_id TO crebito;
GRANT SELECT ON banco.transacoes TO crebito;
