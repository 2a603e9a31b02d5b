#!/usr/bin/env bash
# What the CPU is used for under load: a flamegraph each of a replica, NGINX and PostgreSQL.
#
#     perf/flamegraph.sh [replica|nginx|postgres]...       # all three if none is named
#
# Settings: perf/tools.sh. How to read them: perf/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=perf/tools.sh
. perf/tools.sh
FOR=${FOR:-10}

# Run by under_load, one part after the other. The stack is copied with each sample, since neither
# NGINX nor PostgreSQL keeps frame pointers.
record() {
    local part pids event
    event=$(clock)
    for part in "$@"; do
        case $part in
        replica) pids=${REPLICA_PIDS%%,*} ;;
        nginx) pids=$NGINX_PIDS ;;
        postgres) pids=$POSTGRES_PIDS ;;
        esac
        perf record --quiet --event "$event" --freq 997 --call-graph dwarf,16384 --pid "$pids" \
            --output "$OUT/$part.data" -- sleep "$FOR"
    done
}

if [ "${1-}" = record ]; then
    shift
    record "$@"
    exit
fi
choose_parts "$@"
need_perf
need_inferno
figures=$OUT/flamegraph.json
under_load "$figures" "$DRIVER" record "${parts[@]}"
unit=ns
[ "$(clock)" = cpu-clock ] || unit=cycles
for part in "${parts[@]}"; do
    quietly perf script --no-inline --input "$OUT/$part.data" |
        quietly "$inferno/bin/inferno-collapse-perf" --kernel >"$OUT/$part.folded"
    # Of its palettes the one that has the kernel orange, names with :: yellow, and the rest red.
    draw "$OUT/$part.folded" "On CPU: $part. $(of "$figures")" perl "$unit" >"$OUT/$part.svg"
    rm "$OUT/$part.data"
    printf '%s\n' "$OUT/$part.svg"
    perf/costliest.sh "$OUT/$part.folded"
done
