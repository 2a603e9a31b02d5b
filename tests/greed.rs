//! One replica, without a bank, and peers that want more than their share of it: who floods it,
//! a database too, who takes no answers, who was turned away and does not leave, who asks its
//! admin address.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use common::{Client, EndOnDrop, Peer, get};
use crebito::limits;
use replica::{GUARD, NOWHERE, Replica, free_address};
use rustix::net::{self, AddressFamily, SocketType, sockopt};
use rustix::process::Signal;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const DRIVERS: [&str; 2] = ["io_uring", "epoll"];

/// A flood has come so many times, and so many neighbours at least were served beside it.
const ENOUGH: usize = 100;
const NEIGHBOURS: usize = 100;

fn under_both(check: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for driver in DRIVERS {
            let check = &check;
            scope.spawn(move || check(driver));
        }
    });
}

fn start(driver: &str, more: &[(&str, &str)]) -> Replica {
    start_at(&free_address().to_string(), driver, more)
}

fn start_at(listen: &str, driver: &str, more: &[(&str, &str)]) -> Replica {
    let mut settings = vec![NOWHERE, ("LISTEN", listen), ("IO_DRIVER", driver)];
    settings.extend_from_slice(more);
    let mut replica = Replica::start(&settings);
    replica.wait_for("/healthz", 200);
    replica
}

#[test]
fn a_flood_does_not_starve_the_neighbours() {
    under_both(|driver| {
        let replica = start(driver, &[]);
        // One floods with requests and takes the answers; one with bytes behind its last request.
        let pipelined = get("/healthz").repeat(100);
        let rest = [b"nonsense\r\n\r\n".to_vec(), vec![b'x'; 64 * 1024]].concat();
        let over = AtomicBool::new(false);
        let sent = [AtomicUsize::new(0), AtomicUsize::new(0)];
        thread::scope(|scope| {
            // Also where a neighbour waits in vain.
            let _end = EndOnDrop(&over);
            scope.spawn(|| flood(&replica, &pipelined, &over, &sent[0]));
            scope.spawn(|| flood(&replica, &rest, &over, &sent[1]));
            let since = Instant::now();
            let mut served = 0;
            while served < NEIGHBOURS || sent.iter().any(|it| it.load(Ordering::SeqCst) < ENOUGH) {
                served += 1;
                assert!(since.elapsed() < GUARD, "{driver}: no flood");
                let mut neighbour = Client::connect(replica.peer()).unwrap();
                neighbour.set_guard(GUARD).unwrap();
                let answer = neighbour.exchange(get("/healthz"));
                assert_eq!(answer.map(|it| it.status).ok(), Some(200), "{driver}");
            }
        });
    });
}

/// Notices without end, in the midst of the handshake.
#[test]
fn a_database_that_never_pauses_does_not_starve_the_clients() {
    under_both(|driver| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgresql://a@{}/a", listener.local_addr().unwrap());
        thread::spawn(move || {
            let notices = b"N\0\0\0\x05\0".repeat(10_000);
            for mut session in listener.incoming().flatten() {
                while session.write_all(&notices).is_ok() {}
            }
        });
        let listen = free_address().to_string();
        let mut replica = Replica::start(&[
            ("DATABASE_URL", url.as_str()),
            ("LISTEN", listen.as_str()),
            ("IO_DRIVER", driver),
        ]);
        for _ in 0..20 {
            replica.wait_for("/healthz", 200);
        }
        replica.wait_for_log("no answer within");
        replica.signal(Signal::TERM);
        assert_eq!(replica.wait().code(), Some(0), "{driver}");
    });
}

/// Sends `bytes` again and again, on as many connections as it takes, and reads what comes.
fn flood(replica: &Replica, bytes: &[u8], over: &AtomicBool, sent: &AtomicUsize) {
    while !over.load(Ordering::SeqCst) {
        let Ok(mut sender) = Client::connect(replica.peer()) else {
            continue;
        };
        sender.set_guard(Duration::from_millis(200)).unwrap();
        while !over.load(Ordering::SeqCst) && sender.send(bytes).is_ok() {
            sent.fetch_add(1, Ordering::SeqCst);
            for _ in 0..100 {
                if sender.receive().is_err() {
                    break;
                }
            }
        }
    }
}

/// By itself the kernel keeps 208 KB for a Unix socket's reader, in the replica's memory, and
/// megabytes for a TCP socket's.
#[test]
fn few_answers_are_made_for_who_takes_none() {
    under_both(|driver| {
        let folder = tempfile::tempdir().unwrap();
        let unix = format!("unix:{}", folder.path().join("api.sock").display());
        for listen in [unix, free_address().to_string()] {
            let admin = free_address().to_string();
            let replica = start_at(&listen, driver, &[("ADMIN_LISTEN", admin.as_str())]);
            let mut scraper = Client::connect(&replica::peer(&admin)).unwrap();
            let one = Client::connect(replica.peer()).unwrap().exchange(get("/x"));
            let answer_bytes = one.unwrap().text().len() + HEAD_BYTES_MIN;
            let mut greedy = connect_unread(replica.peer());
            let requests = get("/x").repeat(100);
            let (mut rest, mut before, mut answered) = (&*requests, 0, 1);
            let since = Instant::now();
            // Until nothing more is taken, and nothing more is made.
            while before < answered {
                // A write that hangs may have been taken in part.
                while let Ok(taken) = greedy.write(rest) {
                    assert!(since.elapsed() < GUARD, "{listen}, {driver}: no end");
                    rest = match &rest[taken..] {
                        [] => &requests,
                        rest => rest,
                    };
                }
                before = answered;
                answered = not_found(&mut scraper);
            }
            let kept = answered * answer_bytes;
            let bound = limits::WRITE_BYTES_MAX + 2 * limits::SOCKET_SEND_BYTES;
            assert!(
                (limits::WRITE_BYTES_MAX..bound).contains(&kept),
                "{listen}, {driver}: {answered} answers, {kept} bytes"
            );
        }
    });
}

/// What the head of a 404 takes at least.
const HEAD_BYTES_MIN: usize = 100;

/// A connection whose own side has little room for answers; a write that hangs soon gives up.
fn connect_unread(peer: &Peer) -> Box<dyn Write> {
    let patience = Some(Duration::from_millis(200));
    match peer {
        Peer::Unix(path) => {
            let stream = UnixStream::connect(path).unwrap();
            stream.set_write_timeout(patience).unwrap();
            Box::new(stream)
        }
        Peer::Tcp(address) => {
            let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
            net::connect(&socket, address).unwrap();
            let stream = TcpStream::from(socket);
            stream.set_write_timeout(patience).unwrap();
            Box::new(stream)
        }
    }
}

/// How many requests were answered 404.
fn not_found(scraper: &mut Client) -> usize {
    let name = "crebito_requests_total{route=\"other\",status=\"404\"} ";
    let metrics = scraper.exchange(get("/metrics")).unwrap().text();
    let count = metrics.lines().find_map(|line| line.strip_prefix(name));
    count.unwrap_or("0").parse().unwrap()
}

#[test]
fn who_is_turned_away_is_told_however_many_they_are_and_holds_no_place() {
    under_both(|driver| {
        let replica = start(driver, &[("MAX_CONNECTIONS", "1")]);
        let connect = || Client::connect(replica.peer()).unwrap();
        let mut served = connect();
        let since = Instant::now();
        while served.exchange(get("/healthz")).unwrap().status != 200 {
            assert!(since.elapsed() < GUARD, "{driver}: no place");
            // The place of whoever asked before is not free yet.
            served = connect();
        }
        // None of them closes; all are told, the hundredth like the first.
        let mut refused: Vec<Client> = (0..100).map(|_| connect()).collect();
        for (place, client) in refused.iter_mut().enumerate() {
            let answer = client.receive().unwrap();
            assert_eq!(answer.status, 503, "{driver}: number {place}");
            assert_eq!(answer.field("retry-after"), Some("1"));
            client.receive_end().unwrap();
        }
        // The server's descriptors come back although nobody closed.
        let folder = format!("/proc/{}/fd", replica.pid());
        let open = || std::fs::read_dir(&folder).unwrap().count();
        let since = Instant::now();
        while open() > 30 {
            assert!(since.elapsed() < GUARD, "{driver}: {} descriptors", open());
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(served.exchange(get("/healthz")).unwrap().status, 200);
        drop(refused);
    });
}

#[test]
fn the_admin_address_has_the_metrics_and_takes_no_places() {
    under_both(|driver| {
        let admin = free_address().to_string();
        let settings = [("ADMIN_LISTEN", admin.as_str()), ("MAX_CONNECTIONS", "2")];
        let replica = start(driver, &settings);
        let admin = replica::peer(&admin);
        let mut scrapers: Vec<Client> = Vec::new();
        for _ in 0..8 {
            let mut scraper = Client::connect(&admin).unwrap();
            let metrics = scraper.exchange(get("/metrics")).unwrap();
            assert_eq!(metrics.status, 200);
            let driver = format!("crebito_io_driver_info{{driver=\"{driver}\"}} 1");
            assert!(metrics.text().contains(&driver), "{}", metrics.text());
            scrapers.push(scraper);
        }
        let mut public = Client::connect(replica.peer()).unwrap();
        assert_eq!(public.exchange(get("/metrics")).unwrap().status, 404);
        assert_eq!(public.exchange(get("/healthz")).unwrap().status, 200);
    });
}

#[test]
fn accepted_connections_are_counted_and_not_their_requests() {
    under_both(|driver| {
        let admin = free_address().to_string();
        let settings = [("ADMIN_LISTEN", admin.as_str()), ("MAX_CONNECTIONS", "1")];
        let replica = start(driver, &settings);
        let mut asker = Client::connect(&replica::peer(&admin)).unwrap();
        let mut accepted = || {
            let health = asker.exchange(get("/health")).unwrap().json();
            let accepted = health["accepted"].as_u64().unwrap();
            let metrics = asker.exchange(get("/metrics")).unwrap();
            let line = format!("crebito_connections_accepted_total {accepted}\n");
            assert!(metrics.text().contains(&line), "{}", metrics.text());
            accepted
        };
        let before = accepted();
        for _ in 0..3 {
            // The second and third may find no place yet; they are accepted all the same, and told
            // before they ask.
            let mut client = Client::connect(replica.peer()).unwrap();
            client.set_guard(GUARD).unwrap();
            let _ = client.send(get("/healthz"));
            client.receive().unwrap();
        }
        assert_eq!(accepted(), before + 3, "{driver}");
        for _ in 0..20 {
            accepted();
        }
        assert_eq!(accepted(), before + 3, "{driver}");
    });
}

#[test]
fn a_drain_closes_both_listeners_though_connections_are_open() {
    under_both(|driver| {
        let admin = free_address().to_string();
        let mut replica = start(driver, &[("ADMIN_LISTEN", admin.as_str())]);
        let admin = replica::peer(&admin);
        // Whoever registered last with the end of accepting must not be the only one who hears.
        let mut held = Client::connect(replica.peer()).unwrap();
        assert_eq!(held.exchange(get("/healthz")).unwrap().status, 200);
        let mut scraper = Client::connect(&admin).unwrap();
        assert_eq!(scraper.exchange(get("/healthz")).unwrap().status, 200);
        replica.signal(Signal::TERM);
        replica.wait_for_log("draining");
        for peer in [replica.peer(), &admin] {
            let since = Instant::now();
            while Client::connect(peer).is_ok() {
                assert!(since.elapsed() < GUARD, "{driver}: still taken");
                thread::sleep(Duration::from_millis(20));
            }
        }
        // An idle connection is open for longer than the listeners: the process still lives.
        assert!(held.receive_end().unwrap().is_empty());
        assert_eq!(replica.wait().code(), Some(0));
    });
}
