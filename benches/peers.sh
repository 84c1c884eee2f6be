#!/usr/bin/env bash
# Makes checkpoints of several sizes and prints, in one run, what `tree` costs: over size, over the number of processes,
# and against `zstd -dc`, `gzip -dc` and checkpointctl; and what strings, searches, rules, hexdumps, cores and comparisons of 1 GiB
# cost against GNU strings, rg, yara, xxd, cp and cmp. benches/README.md keeps the figures.
#
#   benches/peers.sh                                      # 64 MiB, 1 GiB and 4 GiB of pages: needs 16 GiB of disk, some minutes
#   SMALL=4MiB MIDDLE=16MiB LARGE=64MiB RUNS=3 benches/peers.sh     # to see that it works
#   ONLY=strings benches/peers.sh                         # only what matches a regular expression
#   KEEP=DIR benches/peers.sh                             # makes the archives in DIR and leaves them for the next time
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

small=${SMALL:-64MiB} middle=${MIDDLE:-1GiB} large=${LARGE:-4GiB}
few=${FEW:-100} many=${MANY:-1000}
target=${CARGO_TARGET_DIR:-target}

if [[ -n ${KEEP:-} ]]; then
  inputs=$KEEP
  mkdir -p "$inputs"
else
  inputs=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-peers.XXXXXX")
  trap 'rm -rf "$inputs"' EXIT
fi

cargo build --quiet --release
cargo build --quiet --release -p ckpt-synth --example make

# made NAME OPTION...: an archive, unless it is there from the last time.
made() {
  local name=$1; shift
  [[ -e $inputs/$name ]] || "$target/release/examples/make" "$@" "$inputs/$name"
}

printf 'making archives of %s, %s and %s of pages, %s and %s processes\n' "$small" "$middle" "$large" "$few" "$many"
made small.tar --pages "$small"
made small.tar.zst --pages "$small"
made middle.tar --pages "$middle"
made middle.tar.zst --pages "$middle"
made middle.tar.gz --pages "$middle"
made large.tar --pages "$large"
# Nothing but processes: the pages that every small process has, and no more.
made few.tar --pages 0 --processes "$few"
made many.tar --pages 0 --processes "$many"

lscpu 2>/dev/null | sed -n 's/^Model name: */  processor  /p; s/^CPU(s): */  cores      /p'
printf '  %s, %s\n' "$(rustc --version)" "$("$target/release/ckpt-inspect" --version)"
python3 benches/peers.py "$target/release/ckpt-inspect" "$inputs"
