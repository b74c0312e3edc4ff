"""`./dev bench` measures what it says, and leaves nothing behind. How fast anything is does not matter here."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ["EDDY_BIN"]
BENCH = os.path.join(os.environ["EDDY_ROOT"], "tools", "bench.py")
SHORT = ("--keys", "300", "--duration", "200ms", "--warm-up", "10ms", "--connections", "4", "--rounds", "1")


def bench(*options):
    return subprocess.run([sys.executable, BENCH, BIN, *options], capture_output=True, text=True, timeout=200)


class Bench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_one_row_for_each_cell(self):
        done = bench("--json", "--durability", "os,sync", "--depth", "2", "--value-bytes", "50", "--dir", self.folder, *SHORT)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(done.stdout)["rows"]
        self.assertEqual([(row["op"], row["depth"], row["value_bytes"], row["durability"]) for row in rows],
                         [(op, 2, 50, durability) for durability in ("os", "sync") for op in ("set", "get")])
        for row in rows:
            self.assertGreater(row["ops_per_s"], 0)
            self.assertGreater(row["p99_us"], 0)
            self.assertAlmostEqual(row["ratio"], row["eddy_us"] / row["floor_us"], delta=0.02 * row["ratio"])
        self.assertEqual(os.listdir(self.folder), [], "the data is gone")

    def test_a_table_of_the_redis_door(self):
        done = bench("--door", "resp", "--durability", "os", "--depth", "3", "--value-bytes", "10", "--op", "get", "--quiet",
                     "--dir", self.folder, *SHORT)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, row = done.stdout.splitlines()
        cells = dict(zip(*([cell.strip() for cell in line.split("|")] for line in (head, row))))
        self.assertEqual((cells["op"], cells["bytes"], cells["depth"], cells["durability"]), ("get", "10", "3", "os"))
        self.assertGreater(float(cells["ratio"]), 0)
        self.assertEqual(done.stderr, "")

    def test_what_cannot_be_measured_is_said(self):
        done = bench("--durability", "memory", "--dir", self.folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn("os, sync", done.stderr)
        done = subprocess.run([sys.executable, BENCH, self.folder], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("./dev build", done.stderr)
        done = bench("--durability", "os", "--eddyd=--no-such-flag", "--dir", self.folder, *SHORT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-flag", done.stderr)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main()
