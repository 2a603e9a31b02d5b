//! A fault in the middle of a load, and whether the bank was right all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::{History, Load, count};
use crate::checker::{self, Answer, Conta, Operation};
use crate::common::{EndOnDrop, Peer};

/// Connections to the door.
const CONNECTIONS: usize = 8;
/// Of load before and after each fault.
pub const CALM: Duration = Duration::from_millis(400);
/// The service is back within this of the end of a fault; it takes a fraction.
pub const RECOVERY: Duration = Duration::from_secs(10);

/// One fault, as it lies in a history.
pub struct Disturbed {
    first: usize,
    recovered_ns: u64,
}

impl Disturbed {
    /// Loads the `door`; `fault` happens meanwhile, and returns once the service is back.
    pub fn under_load(
        history: &mut History,
        door: &Peer,
        seed: u64,
        fault: impl FnOnce(),
    ) -> Disturbed {
        let load = Load {
            peers: vec![door.clone(); CONNECTIONS],
            seed,
            pause: Duration::from_millis(2),
        };
        let first = history.operations.len();
        let is_over = AtomicBool::new(false);
        let is_enough = |_: usize| is_over.load(Ordering::Relaxed);
        let recovered_ns = history.run(&load, is_enough, |history| {
            // Whatever happens here, the askers come to their end.
            let end = EndOnDrop(&is_over);
            sleep(CALM);
            fault();
            let recovered_ns = history.now_ns();
            sleep(CALM);
            drop(end);
            recovered_ns
        });
        Disturbed {
            first,
            recovered_ns,
        }
    }

    /// What was asked around this fault.
    pub fn operations<'a>(&self, history: &'a History) -> &'a [Operation] {
        &history.operations[self.first..]
    }

    /// The whole history so far against the rows so far: no transacao was applied twice, none is
    /// missing that was acknowledged; and the service did come back.
    pub fn judge(&self, history: &History, contas: &[Conta]) -> Result<(), String> {
        checker::check(&history.operations, contas).map_err(|fault| fault.to_string())?;
        let all = self.operations(history);
        let (before, after): (Vec<_>, Vec<_>) =
            all.iter().partition(|one| one.asked_ns < self.recovered_ns);
        if !before.iter().any(|one| is_judged(one)) {
            return Err("nothing was disturbed".to_owned());
        }
        let judged = after.iter().filter(|one| is_judged(one)).count();
        match judged * 10 > after.len() * 9 {
            true => Ok(()),
            false => Err(format!("it is not back: {:?}", count(all))),
        }
    }
}

/// Was it answered by the database? (Of cliente 6 there is no judgement but 404.)
fn is_judged(one: &Operation) -> bool {
    !matches!(one.answer, Answer::Unknown | Answer::Refused) || one.cliente == 6
}
