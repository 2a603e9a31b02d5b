#!/usr/bin/env bash
# What is waited for under load: a flamegraph each of the time that a replica, NGINX's workers and
# PostgreSQL's sessions were not on a CPU, with the stack on which they left it.
#
#     perf/offcpu.sh [replica|nginx|postgres]...       # all three if none is named
#
# Settings: perf/tools.sh. How to read them: perf/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=perf/tools.sh
. perf/tools.sh
FOR=${FOR:-3}

# PostgreSQL's sessions: its other processes sleep most of the time, and would be most of it.
sessions() {
    local pid all=
    for pid in ${POSTGRES_PIDS//,/ }; do
        if tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF '[local]'; then all+=,$pid; fi
    done
    echo "${all#,}"
}

# Run by under_load. An event for each time that a thread leaves its CPU, with its stack, and the
# times at which it left and came back.
record() {
    local part pids
    for part in "$@"; do
        case $part in
        replica) pids=${REPLICA_PIDS%%,*} ;;
        nginx) pids=${NGINX_PIDS#*,} ;;
        postgres) pids=$(sessions) ;;
        esac
        perf record --quiet --event sched:sched_switch --count 1 --switch-events \
            --call-graph dwarf,8192 --pid "$pids" --output "$OUT/offcpu-$part.data" -- sleep "$FOR"
    done
}

# From perf script to folded stacks with microseconds.
fold() {
    awk '
        # comm pid/tid time: event
        / PERF_RECORD_SWITCH (IN|OUT)/ {
            split($2, ids, "/"); thread = ids[2]; now = $3; sub(":", "", now)
            if ($5 == "OUT") {
                left[thread] = now
                why[thread] = $6 == "preempt" ? "(another runs)" : "(waits)"
            } else if (thread in left && thread in stack) {
                spent[$1 ";" why[thread] stack[thread]] += (now - left[thread]) * 1e6
            }
            next
        }
        / sched:sched_switch:/ { split($2, ids, "/"); thread = ids[2]; stack[thread] = ""; next }
        # A frame, the innermost first: its address and its name.
        NF > 1 {
            sub(/^[ \t]*[0-9a-f]+ /, "")
            # How one leaves a CPU is always the same.
            if ($0 ~ /^(__schedule|schedule|schedule_(hr)?timeout.*|io_schedule.*)$/) next
            gsub(";", ":")
            stack[thread] = ";" $0 stack[thread]
        }
        END { for (path in spent) if (spent[path] >= 1) printf "%s %d\n", path, spent[path] }
    '
}

if [ "${1-}" = record ]; then
    shift
    record "$@"
    exit
fi
choose_parts "$@"
need_perf
may_trace ||
    die "the events of the kernel's scheduler are not to be had: root is needed, and its tracing" \
        "mounted (mount -t tracefs nodev /sys/kernel/tracing)"
need_inferno
figures=$OUT/offcpu.json
under_load "$figures" "$DRIVER" record "${parts[@]}"
for part in "${parts[@]}"; do
    file=$OUT/offcpu-$part
    quietly perf script --no-inline --show-switch-events --ns --input "$file.data" \
        --fields comm,pid,tid,time,event,ip,sym | fold >"$file.folded"
    draw "$file.folded" "Off CPU: $part. $(of "$figures")" blue us >"$file.svg"
    rm "$file.data"
    printf '%s\n' "$file.svg"
    perf/costliest.sh "$file.folded"
done
