//! What may happen to a bank: PostgreSQL restarts, a replica is killed, either is frozen. The
//! service goes on or comes back by itself, no transacao is applied twice, none that was
//! acknowledged is missing, none that was refused is there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../checker/mod.rs"]
mod checker;
#[path = "../common/mod.rs"]
mod common;
mod composed;
#[path = "../load/mod.rs"]
mod load;

use std::thread::sleep;
use std::time::Duration;

use common::Peer;
use load::{CALM, Disturbed, History, RECOVERY};
use rustix::process::{Pid, Signal, kill_process};
use xtask::stack::{Driver, Options, Shutdown, Sockets, Stack};

/// How long a part is frozen, or a row is locked: longer than a statement may take.
const FROZEN: Duration = Duration::from_secs(3);

type Fault = (&'static str, fn(&mut Stack));

const FAULTS: [Fault; 10] = [
    ("PostgreSQL is restarted", restart_fast),
    ("PostgreSQL crashes and recovers", restart_immediate),
    ("a replica is killed", kill_replica),
    ("a replica is frozen", freeze_replica),
    ("PostgreSQL is frozen", freeze_postgres),
    ("sessions are terminated", terminate_sessions),
    ("the procedures are made anew", recreate_procedures),
    ("the procedures are away for a moment", remove_procedures),
    (
        "the procedures have another shape for a moment",
        reshape_procedures,
    ),
    ("a cliente is locked by hand", lock_cliente),
];

#[test]
fn no_fault_loses_or_doubles_a_transacao_under_io_uring() {
    check(Driver::IoUring, Sockets::Unix);
}

#[test]
fn no_fault_loses_or_doubles_a_transacao_under_epoll() {
    check(Driver::Epoll, Sockets::Tcp);
}

fn check(driver: Driver, sockets: Sockets) {
    let mut options = Options::new(env!("CARGO_BIN_EXE_crebito"));
    (options.driver, options.sockets) = (driver, sockets);
    let mut stack = Stack::private(&options).unwrap();
    let mut history = History::new();
    let seed = load::fresh_seed();
    for (at, fault) in (0..).zip(&FAULTS) {
        survive(&mut stack, &mut history, seed + 1000 * at, fault);
    }
    println!("{driver:?}: {:?}", history.counts());
}

/// One fault under load, and the whole history so far against the rows so far.
fn survive(stack: &mut Stack, history: &mut History, seed: u64, (name, fault): &Fault) {
    let door = Peer::Tcp(stack.address());
    let disturbed = Disturbed::under_load(history, &door, seed, || {
        fault(stack);
        let replicas = stack.replicas();
        let mut peers = replicas
            .iter()
            .map(|one| load::peer(&one.address))
            .collect::<Vec<_>>();
        peers.push(door.clone());
        for peer in peers {
            load::wait_for_service(&peer, RECOVERY)
                .unwrap_or_else(|heard| panic!("{name}: {heard}\n{}", stack.logs()));
        }
    });
    let counts = load::count(disturbed.operations(history));
    println!("{name}: {counts:?}");
    let judged = disturbed.judge(history, &load::contas(stack.postgres()));
    judged.unwrap_or_else(|fault| panic!("{name}: {fault}\n{}", stack.logs()));
}

fn restart_fast(stack: &mut Stack) {
    stack.stop_postgres(Shutdown::Fast);
    stack.start_postgres().unwrap();
}

fn restart_immediate(stack: &mut Stack) {
    stack.stop_postgres(Shutdown::Immediate);
    stack.start_postgres().unwrap();
}

fn kill_replica(stack: &mut Stack) {
    stack.kill_replica(0);
    // The other one goes on alone.
    let peer = Peer::Tcp(stack.address());
    load::wait_for_service(&peer, RECOVERY).unwrap();
    sleep(CALM);
    stack.start_replica(0).unwrap();
}

fn freeze_replica(stack: &mut Stack) {
    stack.freeze_replica(0);
    sleep(FROZEN);
    stack.thaw_replica(0);
}

fn freeze_postgres(stack: &mut Stack) {
    let sessions = stack.psql("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
    let sessions = sessions.unwrap();
    let mut pids: Vec<i32> = sessions.lines().map(|pid| pid.parse().unwrap()).collect();
    pids.push(i32::try_from(stack.postgres_pid().unwrap()).unwrap());
    let signal_all = |signal| {
        for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            // One may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    };
    signal_all(Signal::STOP);
    sleep(FROZEN);
    signal_all(Signal::CONT);
}

fn terminate_sessions(stack: &mut Stack) {
    for _ in 0..5 {
        stack
            .psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            )
            .unwrap();
        sleep(Duration::from_millis(100));
    }
}

/// Drops every function of the bank.
const DROP: &str = "
    DO $$
    DECLARE
        one regprocedure;
    BEGIN
        FOR one IN SELECT oid FROM pg_proc WHERE pronamespace = 'banco'::regnamespace LOOP
            EXECUTE format('DROP FUNCTION %s', one);
        END LOOP;
    END
    $$;";

/// As an upgrade does it: in one piece, under the feet of the prepared calls.
fn recreate_procedures(stack: &mut Stack) {
    let files = xtask::stack::sql_files().unwrap();
    let sql = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let sql: String = sql.collect::<Vec<_>>().join("\n");
    // As the role that owns them.
    let owner = xtask::stack::ROLE;
    stack
        .psql(&format!("BEGIN; {DROP} SET ROLE {owner}; {sql}; COMMIT;"))
        .unwrap();
}

/// Other results under the same names, which apply nothing: the prepared calls get 0A000.
fn reshape_procedures(stack: &mut Stack) {
    let functions = "
        CREATE FUNCTION banco.InsertTransacao(bigint, bigint, text, text,
            OUT resultado text, OUT saldo text, OUT limite text)
        LANGUAGE sql AS $$ SELECT 'a', 'b', 'c' $$;
        CREATE FUNCTION banco.transacoes_lote(bigint[], bigint[], text[],
            OUT resultado text, OUT saldo text, OUT limite text)
        LANGUAGE sql AS $$ SELECT 'a', 'b', 'c' $$;";
    stack
        .psql(&format!("BEGIN; {DROP} {functions} COMMIT;"))
        .unwrap();
    sleep(CALM);
    recreate_procedures(stack);
}

fn remove_procedures(stack: &mut Stack) {
    stack.psql(DROP).unwrap();
    sleep(CALM);
    stack.postgres().apply_sql().unwrap();
}

fn lock_cliente(stack: &mut Stack) {
    let seconds = FROZEN.as_secs();
    let lock = "SELECT FROM banco.clientes WHERE id = 1 FOR UPDATE";
    stack
        .psql(&format!(
            "BEGIN; {lock}; SELECT pg_sleep({seconds}); COMMIT;"
        ))
        .unwrap();
}
