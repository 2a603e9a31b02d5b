#!/usr/bin/env bash
# The frames with most time of their own in a folded file of flamegraph.sh or offcpu.sh.
#
#     perf/costliest.sh FILE.folded [HOW MANY]
set -euo pipefail
awk '
    {
        count = $NF
        sub(/ [^ ]*$/, "")
        own[frames[split($0, frames, ";")]] += count
        all += count
    }
    END { for (frame in own) printf "%6.1f%%  %s\n", 100 * own[frame] / all, frame }
' "$1" | sort -rn | sed -n "1,${2:-12}p"
