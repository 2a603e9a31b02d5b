# shellcheck shell=bash
# What the scripts beside it share: the tools, or a sentence about them; the stack under load. Each
# has gone to the top of the checkout before. From the environment, for those that drive a stack:
#
#     CONNECTIONS  of the load generator      64
#     MIX          what is asked: contest, writes, creditos, extratos
#     DRIVER       the replicas': auto, io_uring, epoll
#     FOR          how long each part is watched, in seconds
#     OUT          the folder of what comes out of it     .crebito/perf

CONNECTIONS=${CONNECTIONS:-64}
MIX=${MIX:-contest}
DRIVER=${DRIVER:-auto}
OUT=${OUT:-.crebito/perf}
mkdir -p "$OUT"
INFERNO=0.12.8
inferno=$PWD/.crebito/inferno-$INFERNO
# The script that runs, from wherever it was called.
self=$PWD/perf/$(basename "$0")

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# COMMAND...: what it says besides its output is shown only if it fails.
quietly() {
    local said status=0
    said=$(mktemp)
    "$@" 2>"$said" || status=$?
    [ "$status" = 0 ] || cat "$said" >&2
    rm "$said"
    return "$status"
}

# PROGRAM, and Debian's package of it.
need() {
    command -v "$1" >/dev/null ||
        die "$1 is not on this machine. Debian: apt-get install $2 (on Ubuntu perf is in" \
            "linux-tools-generic, the rest has the same names)"
}

# perf, allowed to look at other processes and at the kernel.
need_perf() {
    need perf linux-perf
    local paranoid
    paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
    if [ "$(id -u)" != 0 ] && [ "$paranoid" -gt 1 ]; then
        die "the kernel lets only root look into it (perf_event_paranoid is $paranoid). Run this" \
            "as root, or: sudo sysctl kernel.perf_event_paranoid=-1 kernel.kptr_restrict=0"
    fi
    perf record -q -e cpu-clock -o /dev/null -- true 2>/dev/null ||
        die "perf may not record here: a container wants --cap-add PERFMON and a seccomp profile" \
            "with perf_event_open"
}

# Whether the events of the kernel's scheduler and system calls are to be had.
may_trace() {
    perf stat -e raw_syscalls:sys_enter -- true 2>/dev/null >&2
}

# `cycles`, where there is a counter of them (few virtual machines have one); else the time.
clock() {
    local counted
    counted=$(perf stat -x, -e cycles -- true 2>&1 || true)
    case $counted in
    [0-9]*) echo cycles ;;
    *) echo cpu-clock ;;
    esac
}

# Inferno draws: a Rust port of the FlameGraph scripts. Fetched once for this checkout.
need_inferno() {
    [ -x "$inferno/bin/inferno-flamegraph" ] ||
        cargo install --quiet --locked --root "$inferno" --version "$INFERNO" inferno ||
        die "inferno could not be installed from crates.io; its $INFERNO in $inferno will do"
}

# PART...: what is looked at, in `parts`: all of them if none is named.
choose_parts() {
    parts=("${@:-all}")
    if [ "${parts[*]}" = all ]; then parts=(replica nginx postgres); fi
    local part
    for part in "${parts[@]}"; do
        case $part in
        replica | nginx | postgres) ;;
        *) die "replica, nginx or postgres, not $part" ;;
        esac
    done
}

# FILE DRIVER ARGUMENT...: this script with the arguments, while a private stack is driven; the
# requests of that time go to FILE.
under_load() {
    local file=$1 driver=$2
    shift 2
    cargo xtask under-load --connections "$CONNECTIONS" --mix "$MIX" --driver "$driver" \
        --figures "$file" -- "$self" "$@"
}

# FILE NAME: a value of it.
figure() {
    sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$1"
}

# FOLDED TITLE COLOURS UNIT: the picture, on standard output. What is too narrow to be seen is left
# out, as is the frame of a thread's beginning, which has no name.
draw() {
    sed 's/;\[unknown\]//g' "$1" |
        quietly "$inferno/bin/inferno-flamegraph" --title "$2" --colors "$3" --countname "$4" \
            --minwidth 0.3 --hash --fontsize 11
}

# What a picture is of.
of() {
    printf '%s, %s connections, %s: %s requests/s, %s' "$MIX" "$CONNECTIONS" \
        "$(figure "$1" driver)" \
        "$(awk "BEGIN { printf \"%d\", $(figure "$1" requests) / $(figure "$1" seconds) }")" \
        "$(git describe --always --dirty)"
}
