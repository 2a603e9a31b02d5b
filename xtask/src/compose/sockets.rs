//! What the kernel tells of the containers' sockets: proc(5), /proc/pid/net.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Serialize;

use super::container::Container;
use crate::error::Error;

/// What was seen of the sockets.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SocketUse {
    pub upstream: Reuse,
    /// TCP sockets in `TIME_WAIT` in the containers, before and after, NGINX's port aside: there
    /// they are those of clients who asked for the connection to be closed.
    pub time_wait: (u64, u64),
}

/// Connections from NGINX to the replicas, over the second half of a load that grows in its first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Reuse {
    pub open_at_half: usize,
    pub open_at_end: usize,
    /// Opened in between.
    pub opened: usize,
}

/// Every connection of the replicas' Unix sockets, each time that it was looked.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    looks: Vec<BTreeSet<u64>>,
}

impl Upstream {
    /// Looks once.
    pub fn look(&mut self, containers: &[Container]) {
        let open = containers.iter().flat_map(|container| {
            let path = format!("/proc/{}/net/unix", container.state.pid);
            let table = fs::read_to_string(path).unwrap_or_default();
            accepted(&table).collect::<Vec<_>>()
        });
        self.looks.push(open.collect());
    }

    /// What the looks come to. Who is seen but once is a health check, which closes at once.
    pub fn judged(&self) -> Reuse {
        let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
        for inode in self.looks.iter().flatten() {
            *seen.entry(*inode).or_default() += 1;
        }
        let lasting = |look: &BTreeSet<u64>| -> BTreeSet<u64> {
            look.iter()
                .copied()
                .filter(|inode| seen.get(inode).is_some_and(|n| *n > 1))
                .collect()
        };
        let mut second_half = self.looks.iter().skip(self.looks.len() / 2).map(lasting);
        let Some(first) = second_half.next() else {
            return Reuse::default();
        };
        let mut reuse = Reuse {
            open_at_half: first.len(),
            open_at_end: first.len(),
            opened: 0,
        };
        let mut known = first;
        for look in second_half {
            reuse.open_at_end = look.len();
            reuse.opened += look.iter().filter(|inode| known.insert(**inode)).count();
        }
        reuse
    }
}

/// The inodes of accepted connections of a replica, in /proc/pid/net/unix: they have their
/// listener's path.
fn accepted(table: &str) -> impl Iterator<Item = u64> {
    const CONNECTED: &str = "03";
    table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(5);
        let (state, inode, path) = (fields.next()?, fields.next()?, fields.next()?);
        let is_ours = state == CONNECTED && path.starts_with("/run/crebito/");
        is_ours.then(|| inode.parse().ok()).flatten()
    })
}

/// TCP sockets in `TIME_WAIT` that have nothing to do with NGINX's port.
///
/// # Errors
/// The kernel does not tell.
pub(super) fn time_wait(containers: &[Container]) -> Result<u64, Error> {
    let mut count = 0;
    for container in containers {
        for table in ["tcp", "tcp6"] {
            count += closing(&read(container, table)?);
        }
    }
    Ok(count)
}

/// What the kernel tells of a container's TCP sockets.
pub(super) fn read(container: &Container, table: &str) -> Result<String, Error> {
    let path = format!("/proc/{}/net/{table}", container.state.pid);
    fs::read_to_string(&path).map_err(Error::while_doing(path))
}

fn closing(table: &str) -> u64 {
    const TIME_WAIT: &str = "06";
    let port = format!(":{:04X}", 9999);
    let is_closing = |(local, remote, state): &(&str, &str, &str)| {
        *state == TIME_WAIT && !local.ends_with(&port) && !remote.ends_with(&port)
    };
    let count = rows(table).filter(is_closing).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Local addresses that are listened on, loopback's aside: on 127.0.0.11 the engine's own name
/// server is in every container.
pub(super) fn listeners(table: &str) -> impl Iterator<Item = &str> {
    const LISTENING: &str = "0A";
    rows(table).filter_map(|(local, _, state)| {
        let address = local.split(':').next()?;
        let is_loopback = match address.len() {
            8 => address.ends_with("7F"),
            _ => address == "00000000000000000000000001000000",
        };
        (state == LISTENING && !is_loopback).then_some(local)
    })
}

/// Local and remote address, state.
fn rows(table: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((fields.next()?, fields.next()?, fields.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_those_that_others_reach() {
        let check = |line: &str, expected: &[&str]| {
            let table = format!("  sl  local_address rem_address   st\n{line}");
            assert_eq!(listeners(&table).collect::<Vec<_>>(), expected, "{line}");
        };
        check("   0: 0B00007F:9C41 00000000:0000 0A 0 0", &[]);
        check(
            "   0: 00000000:1538 00000000:0000 0A 0 0",
            &["00000000:1538"],
        );
        check("   0: 020011AC:1538 030011AC:8000 01 0 0", &[]);
        let any = "00000000000000000000000000000000:1538";
        check(&format!("   0: {any} {any} 0A 0 0"), &[any]);
    }

    #[test]
    fn time_wait_of_clients_is_theirs() {
        let check = |line: &str, count: u64| {
            assert_eq!(closing(&format!("head\n{line}\n")), count, "{line}");
        };
        check("   0: 020011AC:270F 030011AC:8000 06 0 0", 0);
        check("   0: 0100007F:8000 0100007F:270F 06 0 0", 0);
        check("   0: 020011AC:8000 030011AC:1F90 06 0 0", 1);
        check("   0: 020011AC:8000 030011AC:1F90 01 0 0", 0);
    }

    #[test]
    fn accepted_connections_are_known_by_their_path() {
        let table = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000002 00000000 00010000 0001 01 26 /run/crebito/api1.sock
0000: 00000003 00000000 00000000 0001 03 27
0000: 00000003 00000000 00000000 0001 03 28 /run/crebito/api1.sock";
        assert_eq!(accepted(table).collect::<Vec<_>>(), [28]);
    }

    #[test]
    fn reuse_is_what_stays_open() {
        let check = |looks: &[&[u64]], expected: (usize, usize, usize)| {
            let looks = looks.iter().map(|look| look.iter().copied().collect());
            let reuse = Upstream {
                looks: looks.collect(),
            };
            let reuse = reuse.judged();
            let found = (reuse.open_at_half, reuse.open_at_end, reuse.opened);
            assert_eq!(found, expected);
        };
        check(&[], (0, 0, 0));
        check(&[&[1], &[1, 2], &[1, 2], &[1, 2]], (2, 2, 0));
        check(&[&[1], &[1, 2], &[1, 2], &[1, 2, 3]], (2, 2, 0));
        check(&[&[1], &[1], &[1], &[1, 3], &[2, 3], &[2]], (2, 1, 1));
    }
}
