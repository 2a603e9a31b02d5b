#!/usr/bin/env bash
# System calls for each request, by part of the stack, under io_uring and under epoll.
#
#     perf/syscalls.sh
#
# Settings: perf/tools.sh, but for DRIVER. How to read the table: perf/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=perf/tools.sh
. perf/tools.sh
FOR=${FOR:-5}
PARTS=(replicas nginx postgres)
# Each has a counter of its own in each thread; those for all calls would take minutes to set up.
# What is none of these is counted as `others`.
CALLS=(
    io_uring_enter epoll_wait epoll_pwait epoll_ctl poll futex sched_yield kill accept4 close
    shutdown recvfrom sendto recvmsg sendmsg read write readv writev getsockopt setsockopt
    lseek pread64 pwrite64 pwritev fsync fdatasync openat brk mmap munmap madvise
)

# Run by under_load: for each part the requests of its time, then `calls name`.
count() {
    local way=$1 driver=$2 part pids
    for part in "${PARTS[@]}"; do
        case $part in
        replicas) pids=$REPLICA_PIDS ;;
        nginx) pids=$NGINX_PIDS ;;
        postgres) pids=$POSTGRES_PIDS ;;
        esac
        "with_$way" "$pids" >"$OUT/syscalls-$driver-$part.txt"
    done
}

# The kernel counts, and nobody stops for it. Its own start takes a while, so the requests are
# counted from within.
with_perf() {
    local file events
    file=$(mktemp)
    events=$(printf ',syscalls:sys_enter_%s' "${CALLS[@]}")
    perf stat -x, -e "raw_syscalls:sys_enter$events" --output "$file" --pid "$1" -- "$self" watch
    awk -F, '
        $3 == "raw_syscalls:sys_enter" { others = $1; next }
        $1 > 0 { sub("syscalls:sys_enter_", "", $3); print $1, $3; others -= $1 }
        END { if (others > 0) print others, "others" }' "$file"
    rm "$file"
}

# Each call stops twice: far fewer requests, but about as many calls for each.
with_strace() {
    local file tracer
    file=$(mktemp)
    strace -f -c -U calls,name -o "$file" --attach "${1//,/ }" 2>"$file.said" &
    tracer=$!
    sleep 1
    kill -0 "$tracer" 2>/dev/null || {
        cat "$file.said" >&2
        rm "$file" "$file.said"
        die "strace has ended"
    }
    watch
    kill -INT "$tracer"
    wait "$tracer" || true
    awk '$1 ~ /^[0-9]+$/ && $2 != "total"' "$file"
    rm "$file" "$file.said"
}

# The requests of its time.
watch() {
    local before
    before=$(operations)
    sleep "$FOR"
    echo "$(($(operations) - before)) requests"
}

# That have joined a queue of a replica since its start.
operations() {
    local replica
    for replica in $REPLICAS; do
        curl -sS --unix-socket "${replica#unix:}" http://localhost/health
    done | grep -o '"operations":[0-9]*' | awk -F: '{ sum += $2 } END { print sum }'
}

case ${1:-} in
count)
    count "$2" "$3"
    exit
    ;;
watch)
    watch
    exit
    ;;
esac
need curl curl
if command -v perf >/dev/null && may_trace; then
    way=perf
else
    need strace strace
    way=strace
    echo "no perf with the kernel's events (root, linux-perf and a mounted" \
        "/sys/kernel/tracing): strace counts, which slows all down" >&2
fi
for driver in io_uring epoll; do
    figures=$OUT/syscalls-$driver.json
    under_load "$figures" "$driver" count "$way" "$driver"
    for part in "${PARTS[@]}"; do
        awk -v part="$part" -v driver="$driver" '
            NR == 1 { requests = $1; next }
            { print part, $2, driver, $1 / requests }' "$OUT/syscalls-$driver-$part.txt"
        rm "$OUT/syscalls-$driver-$part.txt"
    done
done >"$OUT/syscalls.folded"
{
    for driver in io_uring epoll; do of "$OUT/syscalls-$driver.json"; echo; done
    for part in "${PARTS[@]}"; do
        printf '\n%-24s %10s %10s   calls for each request\n' "$part" io_uring epoll
        awk -v part="$part" '
            $1 == part { calls[$2, $3] = $4; sum[$3] += $4; most[$2] += $4 }
            END {
                for (name in most) if (most[name] >= 0.002)
                    printf "%012.6f %-22s %10.3f %10.3f\n", most[name], name,
                        calls[name, "io_uring"], calls[name, "epoll"]
                printf "%012.6f %-22s %10.3f %10.3f\n", 0, "all", sum["io_uring"], sum["epoll"]
            }' "$OUT/syscalls.folded" | LC_ALL=C sort -r | cut -d' ' -f2- | sed 's/^/  /'
    done
} | tee "$OUT/syscalls.txt"
rm "$OUT/syscalls.folded"
