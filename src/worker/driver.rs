//! The I/O driver of a worker: io_uring where kernel and sandbox allow it, else epoll.
//!
//! Found by trying, with the real ring and its flags: monoio's own detection tries a smaller ring
//! without flags, and a ring that then cannot be made would be an error instead of a fallback.

use crate::config::IoDriver;
use io_uring::IoUring;
use monoio::time::TimeDriver;
use monoio::{FusionRuntime, IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};
use std::io;

/// A worker's runtime, one driver or the other, with timers.
pub(super) type AnyRuntime = FusionRuntime<TimeDriver<IoUringDriver>, TimeDriver<LegacyDriver>>;

/// Submission entries of a ring; more at once are submitted in several calls.
const RING_ENTRIES: u32 = 1024;

/// Which driver is in force, and why.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// `io_uring` or `epoll`.
    pub(super) name: &'static str,
    /// For the start line.
    pub(super) why: String,
    ring: Option<Ring>,
}

/// How a ring is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// SINGLE_ISSUER and DEFER_TASKRUN (Linux 6.1): completions are made when they are awaited,
    /// not by interrupting the thread.
    Deferred,
    Plain,
}

/// Tries the drivers, best first.
///
/// # Errors
/// A sentence, when io_uring is demanded and not to be had.
pub(super) fn choose(wanted: IoDriver) -> Result<Choice, String> {
    if wanted == IoDriver::Epoll {
        return Ok(Choice {
            name: "epoll",
            why: "IO_DRIVER=epoll".into(),
            ring: None,
        });
    }
    match Ring::best() {
        Ok(ring) => {
            let why = match ring {
                Ring::Deferred => "the kernel allows it, with deferred completions",
                Ring::Plain => "the kernel allows it",
            };
            Ok(Choice {
                name: "io_uring",
                why: why.into(),
                ring: Some(ring),
            })
        }
        Err(error) if wanted == IoDriver::IoUring => Err(format!(
            "IO_DRIVER=io_uring, but {}. Allow it, or set IO_DRIVER=auto to run on epoll.",
            explained(&error)
        )),
        Err(error) => Ok(Choice {
            name: "epoll",
            why: explained(&error),
            ring: None,
        }),
    }
}

/// Makes the runtime of this thread.
pub(super) fn build(choice: &Choice) -> io::Result<AnyRuntime> {
    match choice.ring {
        Some(ring) => {
            let runtime: Runtime<TimeDriver<IoUringDriver>> =
                RuntimeBuilder::<IoUringDriver>::new()
                    .uring_builder(ring.builder())
                    .with_entries(RING_ENTRIES)
                    .enable_timer()
                    .build()?;
            Ok(FusionRuntime::Uring(runtime))
        }
        None => {
            let runtime = RuntimeBuilder::<LegacyDriver>::new()
                .enable_timer()
                .build()?;
            Ok(FusionRuntime::Legacy(runtime))
        }
    }
}

/// The same, or epoll where that was left open and the ring cannot be made after all: locked
/// memory may suffice for one worker's and not for another's (Linux up to 5.11).
pub(super) fn build_or_fall_back(
    choice: &Choice,
    wanted: IoDriver,
) -> io::Result<(AnyRuntime, &'static str)> {
    match build(choice) {
        Err(error) if choice.ring.is_some() && wanted == IoDriver::Auto => {
            let why = explained(&error);
            log::warn!(driver = "epoll", reason = why; "the I/O driver is another");
            let name = "epoll";
            build(&Choice {
                name,
                why,
                ring: None,
            })
            .map(|runtime| (runtime, name))
        }
        made => made.map(|runtime| (runtime, choice.name)),
    }
}

impl Ring {
    fn best() -> io::Result<Ring> {
        match Ring::Deferred.try_out() {
            Ok(()) => Ok(Ring::Deferred),
            // EINVAL: an older kernel that does not know the flags.
            Err(_) => Ring::Plain.try_out().map(|()| Ring::Plain),
        }
    }

    fn builder(self) -> io_uring::Builder {
        let mut builder = IoUring::builder();
        if self == Ring::Deferred {
            builder.setup_single_issuer().setup_defer_taskrun();
        }
        builder
    }

    fn try_out(self) -> io::Result<()> {
        let ring: IoUring = self.builder().build(RING_ENTRIES)?;
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        use io_uring::opcode;
        let needed = [
            opcode::Accept::CODE,
            opcode::AsyncCancel::CODE,
            opcode::Close::CODE,
            opcode::Connect::CODE,
            opcode::Recv::CODE,
            opcode::Send::CODE,
            opcode::Read::CODE,
            opcode::Write::CODE,
            opcode::Timeout::CODE,
        ];
        match needed.iter().all(|code| probe.is_supported(*code)) {
            true => Ok(()),
            false => Err(io::Error::other(
                "the kernel's io_uring lacks operations (Linux 5.6)",
            )),
        }
    }
}

/// Why a ring cannot be made, in words that help (io_uring_setup(2), ERRORS).
fn explained(error: &io::Error) -> String {
    let rustix_error = error
        .raw_os_error()
        .map(rustix::io::Errno::from_raw_os_error);
    let reason = match rustix_error {
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => match disabled_by_sysctl() {
            true => "the sysctl kernel.io_uring_disabled forbids it",
            false => "a sandbox forbids it (Docker's seccomp profile, for example)",
        },
        Some(rustix::io::Errno::NOSYS) => "the kernel or the sandbox does not have it",
        Some(rustix::io::Errno::NOMEM) => "there is not enough locked memory (ulimit -l)",
        _ => "a ring cannot be made",
    };
    format!("io_uring is not to be had: {reason} ({error})")
}

fn disabled_by_sysctl() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
        .is_ok_and(|text| text.trim() != "0")
}
