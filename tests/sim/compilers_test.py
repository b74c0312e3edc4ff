"""The same seeds give the same runs, whichever compiler built the simulator."""

import json
import os
import subprocess
import sys

SEEDS = "1..60"
OURS = os.path.join(os.environ["EDDY_BIN"], "eddy-sim")
THEIRS = os.path.join(os.environ["EDDY_ROOT"], "build", "clang", "bin", "eddy-sim")


def run(program):
    done = subprocess.run([program, "--seeds", SEEDS, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main():
    if not os.path.exists(THEIRS):
        sys.exit(f"{THEIRS} is missing: ./dev build --preset clang eddy-sim makes it, as ./dev test does")
    ours, theirs = run(OURS), run(THEIRS)
    assert ours["runs"] == 60 and ours["operations"] > 10_000, ours
    different = [name for name in ours if ours[name] != theirs.get(name)]
    assert not different, (
        f"{[(name, ours[name], theirs.get(name)) for name in different]} differ."
        " Is build/clang of the same sources?"
    )
    print(f"{ours['runs']} seeds, {ours['events']} events, trace hash {ours['trace_hash']} with both")


main()
