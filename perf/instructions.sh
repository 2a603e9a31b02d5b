#!/usr/bin/env bash
# Instructions of the codecs for each request, counted by callgrind: the same on every run and on a
# crowded machine. Each codec of benches/codecs.rs is run a hundred times and eleven hundred times;
# the difference is a thousand times the codec, without the start of the program.
#
#     perf/instructions.sh
#
# `OUT` (.crebito/perf) also has callgrind's files: callgrind_annotate FILE says which functions.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=perf/tools.sh
. perf/tools.sh
need valgrind valgrind

# So many times; prints the instructions.
counted() {
    local name=$1 times=$2 file=$OUT/$1.callgrind
    valgrind --quiet --tool=callgrind --callgrind-out-file="$file" "$codecs" "$name" "$times"
    awk '/^summary:/ { print $2 }' "$file"
}

codecs=$(cargo bench --profile profiling --bench codecs --no-run --message-format json |
    sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p')
{
    printf '%s, %s, %s\n\n' "$(git describe --always --dirty)" "$(rustc --version)" \
        "$(valgrind --version)"
    printf '%-16s %12s  what\n' codec instructions
    while IFS=$'\t' read -r name each what; do
        few=$(counted "$name" 100)
        many=$(counted "$name" 1100)
        printf '%-16s %12d  %s\n' "$name" $(((many - few) / 1000 / each)) "$what"
    done < <("$codecs")
} | tee "$OUT/instructions.txt"
