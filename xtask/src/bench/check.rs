//! The database's own word on what was answered.

use super::record::Check;
use crate::error::Error;
use crate::stack::Stack;

/// Clientes whose saldo or count is not what their transacoes come to, or is beyond their limite,
/// and transacoes of nobody: one pass over all of them.
pub(crate) const WRONG: &str = "SELECT count(*) FROM banco.clientes AS c \
    FULL JOIN (SELECT cliente_id, count(*) AS n, \
        sum(CASE tipo WHEN 'c' THEN valor ELSE -valor END) AS saldo \
        FROM banco.transacoes GROUP BY cliente_id) AS t ON t.cliente_id = c.id \
    WHERE c.id IS NULL OR c.n <> coalesce(t.n, 0) OR c.saldo <> coalesce(t.saldo, 0) \
       OR c.saldo < -c.limite";

/// Whether a status (0: no answer) leaves open if its transacao was applied: 5xx does, but for the
/// 503 of `is_ours`, this bank, which promises that it was not.
pub(super) fn leaves_open(status: u16, is_ours: bool) -> bool {
    status == 0 || (status >= 500 && !(is_ours && status == 503))
}

/// Asks, `answered` being the transacoes answered with 200 since the stack started.
pub(super) fn check(stack: &Stack, answered: u64, unread_max: u64) -> Result<Check, Error> {
    let number = |sql: &str| {
        let said = stack.psql(sql)?;
        said.parse()
            .map_err(Error::while_doing(format!("`{said}` for {sql}")))
    };
    Ok(Check {
        wrong_clientes: number(WRONG)?,
        rows: number("SELECT count(*) FROM banco.transacoes")?,
        answered,
        unread_max,
    })
}
