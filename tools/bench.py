#!/usr/bin/env python3
"""Measures Eddy against the bare quorum store of bench/floor on this machine, in turn, and prints what an operation costs
the servers of each: processor time (user and system, all threads) over the three processes. Machines differ and are
noisy, so it is the ratio that says something. `./dev bench` builds and calls this.

Three nodes of each run on loopback addresses of their own with their data in a temporary folder, N = 3 and R = W = 2, all
clients at one coordinator. Keys are written once before they are measured; then every cell of the table is measured on
Eddy and on the floor, one directly after the other, and all cells as many times as there are rounds. The table shows medians."""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

READY_SECONDS = 30
SETTLE_SECONDS = 20
EDDY_PORT, FLOOR_PORT = 7400, 7500
NODES = (1, 2, 3)


def fail(text):
    raise SystemExit("bench: " + text)


class Servers:
    """Three processes of one kind, and what a load generator must know of them."""

    def __init__(self, folder):
        self.folder = folder
        self.network = "127.%d.%d" % (random.randrange(20, 220), random.randrange(1, 250))
        self.processes = []

    def spawn(self, name, command, **kwargs):
        log = os.path.join(self.folder, name + ".log")
        # What is measured is what the command line says: no EDDY_ variable is a setting of it.
        environment = {word: text for word, text in os.environ.items() if not word.startswith("EDDY_")}
        with open(log, "wb") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors, env=environment, **kwargs)
        process.log = log
        self.processes.append(process)
        return process

    def end_of(self, process):
        with open(process.log, encoding="utf-8", errors="replace") as log:
            return "%s ended with code %d:\n%s" % (process.args[0], process.wait(), log.read()[-2000:])

    def pids(self):
        return ",".join(str(process.pid) for process in self.processes)

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Eddy(Servers):
    def __init__(self, options, durability, folder):
        super().__init__(folder)
        self.door = options.door
        self.node = "%s.1" % self.network
        eddyd = os.path.join(options.bin, "eddyd")
        seeds = ",".join("n%d@%s.%d:7401/z%d" % (k, self.network, k, k) for k in NODES)
        for k in NODES:
            self.spawn("n%d" % k,
                       [eddyd, "--cluster", "bench", "--name", "n%d" % k, "--seeds", seeds, "--data-dir",
                        os.path.join(folder, "n%d" % k), "--durability", durability, *options.eddyd],
                       stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_SECONDS
        ask = [os.path.join(options.bin, "eddyctl"), "health", "--node"]
        for k in NODES:
            while subprocess.run([*ask, "%s.%d" % (self.network, k)], capture_output=True).returncode != 0:
                for process in self.processes:
                    if process.poll() is not None:
                        fail(self.end_of(process))
                if time.monotonic() > deadline:
                    fail("the nodes were not ready within %d s" % READY_SECONDS)
                time.sleep(0.1)


class Floor(Servers):
    def __init__(self, options, durability, folder):
        super().__init__(folder)
        self.door = "floor"
        hosts = ["%s.%d" % (self.network, k) for k in NODES]
        self.node = "%s:%d" % (hosts[0], FLOOR_PORT)
        for k in NODES:
            process = self.spawn("f%d" % k,
                                 [os.path.join(options.bin, "eddy-floor"), str(k), str(FLOOR_PORT), *hosts,
                                  os.path.join(folder, "f%d" % k), durability],
                                 stdout=subprocess.PIPE, text=True)
            self.expect(process, "listening")
        for process in self.processes:
            self.expect(process, "ready")

    def expect(self, process, word):
        if process.stdout.readline().strip() != word:
            fail(self.end_of(process))


def cpu_seconds(processes):
    total = 0
    for process in processes:
        with open("/proc/%d/stat" % process.pid, encoding="ascii") as stat:
            total += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def settle(both):
    """Waits until flushes and compactions of what was written have come to rest."""
    processes = [process for servers in both for process in servers.processes]
    deadline = time.monotonic() + SETTLE_SECONDS
    before = cpu_seconds(processes)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = cpu_seconds(processes)
        if now - before < 0.05:
            return
        before = now


def load(options, servers, op, depth, value_bytes, fill):
    """One row of `eddyctl bench --json`."""
    command = [os.path.join(options.bin, "eddyctl"), "bench", "--json", "--node", servers.node, "--door", servers.door,
               "--op", op, "--depth", str(depth), "--value-bytes", str(value_bytes), "--connections",
               str(options.connections), "--keys", str(options.keys), "--duration", options.duration, "--warm-up",
               options.warm_up, "--pids", servers.pids(), "--fill" if fill else "--no-fill"]
    if servers.door != "floor":
        command += ["--cluster", "bench"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        fail("%s ended with code %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()))
    row = json.loads(done.stdout)["rows"][0]
    if row["errors"]:
        fail("%s %s: %s" % (servers.door, op, row["errors"]))
    if row["absent"]:
        fail("%s: %d gets found nothing, though every key was written" % (servers.door, row["absent"]))
    return row


def measure(options, durability, folder):
    """The rows of one durability."""
    servers = []
    try:
        for kind in (Eddy, Floor):
            servers.append(kind(options, durability, folder))
        eddy, floor = servers
        for value_bytes in options.value_bytes:
            cells = [(op, depth) for op in options.op for depth in options.depth]
            samples = {cell: ([], []) for cell in cells}
            for servers_of_kind in servers:
                load(options, servers_of_kind, "set", 16, value_bytes, True)
            for number in range(options.rounds):
                for op, depth in cells:
                    settle(servers)
                    for which, servers_of_kind in enumerate((eddy, floor)):
                        row = load(options, servers_of_kind, op, depth, value_bytes, False)
                        samples[op, depth][which].append(row)
                        say(options, "%s, round %d: %s of %d bytes at depth %d: %s %.1f us" % (
                            durability, number + 1, op, value_bytes, depth, servers_of_kind.door, row["server_us"]))
            for (op, depth), (ours, theirs) in samples.items():
                yield row_of(op, depth, value_bytes, durability, ours, theirs)
    finally:
        for servers_of_kind in servers:
            servers_of_kind.stop()


def row_of(op, depth, value_bytes, durability, ours, theirs):
    def median(rows, name):
        return statistics.median(row[name] for row in rows)
    eddy_us, floor_us = median(ours, "server_us"), median(theirs, "server_us")
    return {"op": op, "depth": depth, "value_bytes": value_bytes, "durability": durability,
            "eddy_us": round(eddy_us, 2), "floor_us": round(floor_us, 2), "ratio": round(eddy_us / floor_us, 3),
            "ops_per_s": round(median(ours, "ops_per_s")), "p50_us": round(median(ours, "p50_us")),
            "p99_us": round(median(ours, "p99_us")),
            "floor_ops_per_s": round(median(theirs, "ops_per_s")), "floor_p50_us": round(median(theirs, "p50_us")),
            "floor_p99_us": round(median(theirs, "p99_us"))}


HEADER = ["op", "bytes", "depth", "durability", "Eddy us", "floor us", "ratio", "ops/s", "p50 us", "p99 us"]


def columns(row):
    return [row["op"], str(row["value_bytes"]), str(row["depth"]), row["durability"], "%.1f" % row["eddy_us"],
            "%.1f" % row["floor_us"], "%.2f" % row["ratio"], "{:,}".format(row["ops_per_s"]),
            "{:,}".format(row["p50_us"]), "{:,}".format(row["p99_us"])]


def show(rows):
    lines = [HEADER, ["---"] * len(HEADER), *map(columns, rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for cells in lines:
        print("| %s |" % " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)))


def say(options, text):
    if not options.quiet:
        print("bench: " + text, file=sys.stderr, flush=True)


def list_of(kind, allowed=None):
    def parse(text):
        values = [kind(word) for word in text.split(",")]
        if allowed and not set(values) <= set(allowed):
            raise argparse.ArgumentTypeError("only %s are known" % ", ".join(allowed))
        return values
    return parse


def positive(text):
    if int(text) < 1:
        raise ValueError
    return int(text)


def parse_options(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.partition(" `./dev bench`")[0],
                                     formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("bin", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="values of 100 bytes with durability os, and one short round")
    parser.add_argument("--json", action="store_true", help='print {"rows": [..]} instead of a table')
    parser.add_argument("--quiet", action="store_true", help="say nothing while measuring")
    parser.add_argument("--rounds", type=positive, help="how often each cell is measured [3]")
    parser.add_argument("--durability", type=list_of(str, ("os", "sync")), help="os and sync [both]")
    parser.add_argument("--op", type=list_of(str, ("set", "get")), default=["set", "get"], help="set and get [both]")
    parser.add_argument("--value-bytes", type=list_of(positive), help="[100,1024]")
    parser.add_argument("--depth", type=list_of(positive), default=[1, 16],
                        help="requests outstanding on each connection [1,16]")
    parser.add_argument("--connections", type=positive, default=50, help="[50]")
    parser.add_argument("--keys", type=positive, default=100_000, help="[100000]")
    parser.add_argument("--duration", help="of a measurement [2s]")
    parser.add_argument("--warm-up", help="before it [500ms]")
    parser.add_argument("--door", choices=("native", "resp"), default="native", help="Eddy's, to measure [native]")
    parser.add_argument("--dir", help="where the data goes, which decides what a sync costs [the system's temporary folder]")
    parser.add_argument("--eddyd", action="append", default=[], metavar="FLAG", help="a flag more for eddyd, as --eddyd=--flag")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.durability = options.durability or (["os"] if options.quick else ["os", "sync"])
    options.value_bytes = options.value_bytes or ([100] if options.quick else [100, 1024])
    options.duration = options.duration or ("1s" if options.quick else "2s")
    options.warm_up = options.warm_up or ("200ms" if options.quick else "500ms")
    for program in ("eddyd", "eddyctl", "eddy-floor"):
        if not os.access(os.path.join(options.bin, program), os.X_OK):
            fail("there is no %s in %s: ./dev build first" % (program, options.bin))
    return options


def main():
    options = parse_options(sys.argv[1:])
    # As when it is interrupted: what was started goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    for durability in options.durability:
        folder = tempfile.mkdtemp(prefix="eddy-bench-", dir=options.dir)
        try:
            rows += measure(options, durability, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps({"rows": rows}, indent=1))
    else:
        show(rows)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
