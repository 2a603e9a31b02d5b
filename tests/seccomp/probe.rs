//! Makes system calls, and says of each what came of it: `name errno`, 0 for success.
//!
//! A program of its own: the test beside it builds it, static as the server is, puts it into a
//! container of the replicas' image and runs it there under one profile or another. The arguments
//! are such that an unconfined kernel does nothing harmful, and never answers EPERM to root with
//! CAP_SYS_ADMIN: what says EPERM is the filter.

use std::ffi::{c_char, c_int, c_long, c_ulong};
use std::ptr::null;

/// Ends with NUL, or is null.
type Text = *const c_char;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn _exit(status: c_int) -> !;
    fn mkdir(path: Text, mode: u32) -> c_int;
    fn rename(from: Text, to: Text) -> c_int;
    fn symlink(target: Text, path: Text) -> c_int;
    fn link(from: Text, to: Text) -> c_int;
    fn mkfifo(path: Text, mode: u32) -> c_int;
    fn truncate(path: Text, length: c_long) -> c_int;
    fn chown(path: Text, user: u32, group: u32) -> c_int;
    fn chroot(path: Text) -> c_int;
    fn mount(source: Text, target: Text, kind: Text, flags: c_ulong, data: Text) -> c_int;
    fn umount2(path: Text, flags: c_int) -> c_int;
    fn unshare(flags: c_int) -> c_int;
    fn setns(descriptor: c_int, kind: c_int) -> c_int;
    fn ptrace(request: c_long, ...) -> c_long;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn memfd_create(name: Text, flags: u32) -> c_int;
    fn inotify_init1(flags: c_int) -> c_int;
    fn personality(persona: c_ulong) -> c_int;
    fn swapon(path: Text, flags: c_int) -> c_int;
    fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn socketpair(family: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int;
    fn ioctl(descriptor: c_int, request: c_ulong, ...) -> c_int;
    fn eventfd(count: u32, flags: c_int) -> c_int;
    fn epoll_create1(flags: c_int) -> c_int;
    fn sched_setscheduler(pid: c_int, policy: c_int, priority: *const c_int) -> c_int;
}

/// Numbers of calls without a function in the C library; from 424 on they are everywhere the same.
#[cfg(target_arch = "x86_64")]
mod number {
    pub const CLONE: i64 = 56;
    pub const ADD_KEY: i64 = 248;
    pub const BPF: i64 = 321;
    pub const PERF_EVENT_OPEN: i64 = 298;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const CLONE: i64 = 220;
    pub const ADD_KEY: i64 = 217;
    pub const BPF: i64 = 280;
    pub const PERF_EVENT_OPEN: i64 = 241;
}
const IO_URING_SETUP: i64 = 425;
const IO_URING_ENTER: i64 = 426;
const IO_URING_REGISTER: i64 = 427;
const PIDFD_OPEN: i64 = 434;
const CLONE3: i64 = 435;
const PIDFD_GETFD: i64 = 438;
const LANDLOCK_CREATE_RULESET: i64 = 444;

const CLONE_NEWUTS: i64 = 0x0400_0000;
const SIGCHLD: i64 = 17;
const SCHED_BATCH: c_int = 3;
const SCHED_IDLE: c_int = 5;
const NOBODY: c_int = 0x3fff_ffff;

fn say(name: &str, result: i64) {
    let error = std::io::Error::last_os_error().raw_os_error();
    let errno = if result < 0 { error.unwrap_or(0) } else { 0 };
    println!("{name} {errno}");
}

fn main() {
    files();
    kernel();
    sockets();
}

fn files() {
    let (new, absent) = (c"/made".as_ptr(), c"/absent/of/course".as_ptr());
    // SAFETY: strings that end with NUL, and null where the kernel says EFAULT.
    unsafe {
        say("mkdir", mkdir(new, 0o700).into());
        say("rename", rename(absent, new).into());
        say("symlink", symlink(new, c"/linked".as_ptr()).into());
        say("link", link(absent, new).into());
        say("mkfifo", mkfifo(c"/fifo".as_ptr(), 0o600).into());
        say("truncate", truncate(absent, 0).into());
        say("chown", chown(absent, 0, 0).into());
        say("chroot", chroot(absent).into());
        say("mount", mount(null(), null(), null(), 0, null()).into());
        say("umount2", umount2(absent, 0).into());
        say("swapon", swapon(absent, 0).into());
    }
}

fn kernel() {
    // SAFETY: pointers are null, and the kernel says EFAULT; the child, if one comes, ends.
    unsafe {
        say("unshare", unshare(0).into());
        say("setns", setns(-1, 0).into());
        say("ptrace", ptrace(16, NOBODY, 0, 0));
        say("kill", kill(NOBODY, 0).into());
        say("memfd_create", memfd_create(null(), 0).into());
        say("inotify_init", inotify_init1(-1).into());
        let batch = sched_setscheduler(0, SCHED_BATCH, null());
        say("sched_setscheduler of SCHED_BATCH", batch.into());
        let idle = sched_setscheduler(0, SCHED_IDLE, null());
        say("sched_setscheduler of SCHED_IDLE", idle.into());
        say("personality", personality(0xffff_ffff).into());
        say("bpf", syscall(number::BPF, 0_i64, 0_i64, 0_i64));
        say(
            "add_key",
            syscall(number::ADD_KEY, 0_i64, 0_i64, 0_i64, 0_i64, 0_i64),
        );
        say(
            "perf_event_open",
            syscall(number::PERF_EVENT_OPEN, 0_i64, 0_i64, -1_i64, -1_i64, 0_i64),
        );
        say(
            "landlock",
            syscall(LANDLOCK_CREATE_RULESET, 0_i64, 0_i64, 9_i64),
        );
        let cloned = syscall(
            number::CLONE,
            CLONE_NEWUTS | SIGCHLD,
            0_i64,
            0_i64,
            0_i64,
            0_i64,
        );
        if cloned == 0 {
            _exit(0);
        }
        say("clone into a namespace", cloned);
        say("clone3", syscall(CLONE3, 0_i64, 0_i64));
        say("io_uring_setup", syscall(IO_URING_SETUP, 1_i64, 0_i64));
        say(
            "io_uring_enter",
            syscall(IO_URING_ENTER, -1_i64, 0_i64, 0_i64, 0_i64, 0_i64, 0_i64),
        );
        say(
            "io_uring_register",
            syscall(IO_URING_REGISTER, -1_i64, 0_i64, 0_i64, 0_i64),
        );
        say("pidfd_open", syscall(PIDFD_OPEN, i64::from(NOBODY), 0_i64));
        say("pidfd_getfd", syscall(PIDFD_GETFD, -1_i64, 0_i64, 0_i64));
    }
}

fn sockets() {
    const STREAM: c_int = 1;
    let mut pair: [c_int; 2] = [-1; 2];
    // SAFETY: `pair` has the two places that are written; TIOCSTI and FIONBIO read through null.
    unsafe {
        for (name, family, kind) in [
            ("socket of Unix", 1, STREAM),
            ("socket of IPv4", 2, STREAM),
            ("socket of IPv6", 10, STREAM),
            ("socket of netlink", 16, 3),
            ("socket of packet", 17, 3),
            ("socket of alg", 38, 5),
            ("socket of vsock", 40, STREAM),
        ] {
            say(name, socket(family, kind, 0).into());
        }
        say(
            "socketpair of Unix",
            socketpair(1, STREAM, 0, pair.as_mut_ptr()).into(),
        );
        say(
            "socketpair of TIPC",
            socketpair(30, STREAM, 0, pair.as_mut_ptr()).into(),
        );
        say("ioctl FIONBIO", ioctl(-1, 0x5421, 0_i64).into());
        say("ioctl TIOCSTI", ioctl(-1, 0x5412, 0_i64).into());
        say("eventfd", eventfd(0, 0).into());
        say("epoll_create1", epoll_create1(0).into());
    }
}
