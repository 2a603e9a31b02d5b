//! What the services use while something is done to them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::composition::Composition;
use super::container::Container;
use super::limits::Limits;
use super::pressure::{self, Pressure};
use super::sockets::{self, SocketUse};
use crate::cgroup::{Cgroup, Used};
use crate::error::Error;

/// How often it is looked: where the kernel keeps no peak, this is its resolution.
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// One service over the time that it was watched.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ServiceUse {
    pub service: String,
    pub limits: Limits,
    /// CPUs in use, on average.
    pub cpus: f64,
    /// Of that time, for how much of it was held back by its quota.
    pub throttled_ms: u64,
    /// The most that was charged to its group since it was started, page cache included.
    pub memory_peak_bytes: u64,
    /// The most that was seen of what cannot be dropped: anonymous and shared memory.
    pub memory_own_peak_bytes: u64,
    pub oom_kills: u64,
}

/// Both.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Use {
    pub seconds: f64,
    pub services: Vec<ServiceUse>,
    pub sockets: SocketUse,
    pub machine: Pressure,
}

/// Does `work` and watches the services meanwhile; after `half` and at the end it asks the
/// replicas for their connections.
///
/// # Errors
/// That of `work`, or a control group is not to be read, or a replica does not answer.
pub(super) fn watch<T>(
    composition: &Composition,
    containers: &[Container],
    half: Duration,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<(T, Use), Error> {
    let groups: Vec<Cgroup> = containers
        .iter()
        .map(|container| Cgroup::of(container.state.pid))
        .collect::<Result<_, _>>()?;
    let before = used(&groups)?;
    let time_wait = sockets::time_wait(containers)?;
    let busy = pressure::Since::now();
    let (start, is_over) = (Instant::now(), AtomicBool::new(false));
    let (done, seen) = thread::scope(|scope| {
        let eye = scope.spawn(|| {
            let mut at_half = None;
            let own = look(&groups, &is_over, || {
                if at_half.is_none() && start.elapsed() >= half {
                    at_half = Some(sockets::Count::ask(composition, containers));
                }
            });
            (own, at_half)
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        (done, eye.join())
    });
    let (done, seconds) = (done?, start.elapsed().as_secs_f64());
    let machine = busy.until_now();
    let (own, at_half) = seen.map_err(|_| Error::new("the watch ended early"))?;
    let at_half = at_half.ok_or_else(|| Error::new("the load ended before its half"))??;
    let at_end = sockets::Count::ask(composition, containers)?;
    let after = used(&groups)?;
    let service = |(at, container): (usize, &Container)| {
        let name = container.service();
        let file = composition.file.services.get(name);
        let (before, after) = (before.get(at)?, after.get(at)?);
        let used_us = after.cpu_us.saturating_sub(before.cpu_us);
        Some(ServiceUse {
            service: name.to_owned(),
            limits: file.map(|service| service.limits).unwrap_or_default(),
            cpus: Duration::from_micros(used_us).as_secs_f64() / seconds,
            throttled_ms: after.throttled_us.saturating_sub(before.throttled_us) / 1_000,
            memory_peak_bytes: after.peak_bytes,
            memory_own_peak_bytes: own.get(&at).copied().unwrap_or(0),
            oom_kills: after.oom_kills,
        })
    };
    let services = containers.iter().enumerate().filter_map(service).collect();
    let sockets = SocketUse {
        upstream: sockets::Reuse::between(&at_half, &at_end),
        time_wait: (time_wait, sockets::time_wait(containers)?),
    };
    let used = Use {
        seconds,
        services,
        sockets,
        machine,
    };
    Ok((done, used))
}

fn used(groups: &[Cgroup]) -> Result<Vec<Used>, Error> {
    groups.iter().map(Cgroup::used).collect()
}

/// Until it is over: each group's largest own memory.
fn look(groups: &[Cgroup], is_over: &AtomicBool, mut each: impl FnMut()) -> BTreeMap<usize, u64> {
    let mut own = BTreeMap::new();
    while !is_over.load(Ordering::Relaxed) {
        for (at, group) in groups.iter().enumerate() {
            let now = group.used().map_or(0, |used| used.own_bytes);
            let most = own.entry(at).or_insert(0);
            *most = now.max(*most);
        }
        each();
        thread::sleep(LOOKED_EVERY);
    }
    own
}
