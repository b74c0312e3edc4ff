#!/usr/bin/env bash
# Measures three nodes on this machine: starts them on loopback addresses of their own with their data in a temporary
# folder, runs `eddyctl bench` against them, and takes everything away again. `./dev bench` builds and calls this.
# usage: bench.sh BIN [--durability sync|os|memory] [--engine rocksdb|memory] [options of eddyctl bench]
#   --quick    one short line of each kind instead of the whole table
set -euo pipefail
bin=$(cd "${1:?usage: bench.sh BIN [options]}" && pwd)
shift
for program in eddyd eddyctl; do
  [[ -x $bin/$program ]] || { echo "bench: there is no $bin/$program: ./dev build first" >&2; exit 1; }
done

durability=os engine=rocksdb options=()
while (($#)); do
  case $1 in
    --durability) durability=${2:?"--durability needs a value"}; shift 2 ;;
    --engine) engine=${2:?"--engine needs a value"}; shift 2 ;;
    --quick) options+=(--connections 16 --value-bytes 100 --duration 1s --keys 20000); shift ;;
    *) options+=("$1"); shift ;;
  esac
done

work=$(mktemp -d)
pids=()
finish() {
  if ((${#pids[@]})); then kill "${pids[@]}" 2>/dev/null || true; fi
  wait || true
  rm -rf "$work"
}
trap finish EXIT

# Addresses that nobody else uses, so the doors keep their usual ports. Every node knows all members.
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
seeds="n1@$net.1:7401/z1,n2@$net.2:7401/z2,n3@$net.3:7401/z3"
for k in 1 2 3; do
  "$bin/eddyd" --cluster bench --name "n$k" --seeds "$seeds" --data-dir "$work/n$k" --engine "$engine" \
    --durability "$durability" </dev/null >"$work/n$k.log" 2>&1 &
  pids+=($!)
done

deadline=$((SECONDS + 30))
until "$bin/eddyctl" status --node "$net.1" &>/dev/null; do
  if ((SECONDS >= deadline)); then
    tail -n 5 "$work"/n*.log >&2
    echo "bench: the nodes are not ready after 30 s; their logs are above" >&2
    exit 1
  fi
  sleep 0.1
done

echo "Three nodes, N=3 R=W=2, durability=$durability, engine=$engine, $(nproc) cores; n1 coordinates." >&2
"$bin/eddyctl" bench --node "$net.1" --pids "$(IFS=,; echo "${pids[*]}")" "${options[@]}"
