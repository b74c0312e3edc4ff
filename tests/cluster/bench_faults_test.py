"""`eddyctl bench` goes on when nodes die or fall silent, and says what that was to clients. How fast anything is does not
matter here."""

import json
import os
import pty
import re
import signal
import subprocess
import unittest

import harness
from harness import EDDYCTL, OK


class Watched:
    """A bench whose lines, one each second, are read as they come."""

    def __init__(self, cluster, *words):
        nodes = ",".join(node.address for node in cluster.nodes)
        self.lines, theirs = pty.openpty()
        self.process = subprocess.Popen([EDDYCTL, "bench", "--json", "--node", nodes, "--keys", "300", "--value-bytes", "100",
                                         *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        os.close(self.lines)

    def await_second(self, number):
        while not re.search(rb"(?m)^ +%d s " % number, self.seen):
            self.seen += os.read(self.lines, 4096)

    def end(self):
        """The row, once the rest of its lines has been read."""
        try:
            while True:
                self.seen += os.read(self.lines, 4096)
        except OSError:
            pass  # it has ended
        shown = self.process.stdout.read()
        assert self.process.wait(harness.END_SECONDS) == OK, self.seen
        row, = json.loads(shown)["rows"]
        return row


class BenchFaultsTest(unittest.TestCase):
    def test_a_node_that_is_killed_is_left_for_the_others(self):
        for door in ("native", "resp"):
            with self.subTest(door), harness.Cluster() as cluster, \
                    Watched(cluster, "--workload", "a", "--door", door, "--depth", "4", "--duration", "4s") as watched:
                watched.await_second(1)
                cluster.nodes[1].kill()
                row = watched.end()
                self.assertEqual(len(row["each_second"]), 4)
                self.assertGreater(row["each_second"][-1]["ops_per_s"], 0)
                # What was outstanding on its connections, and what the others had asked it for.
                self.assertGreater(row["errors"]["connection"], 0)
                self.assertLessEqual(set(row["errors"]), {"connection", "quorum", "unknown", "timeout"})
                self.assertEqual(sum(row["errors"].values()), sum(second["errors"] for second in row["each_second"]))
                self.assertGreater(row["longest_pause_ms"], 0)

    def test_a_node_that_falls_silent_is_given_up_after_the_timeout(self):
        with harness.Cluster() as cluster, \
                Watched(cluster, "--workload", "c", "--rate", "300", "--duration", "5s", "--timeout", "500ms") as watched:
            watched.await_second(1)
            cluster.nodes[2].signal(signal.SIGSTOP)
            row = watched.end()
            self.assertGreater(row["errors"]["timeout"], 0)
            self.assertIn("no reply within 500 ms", row["error_examples"]["timeout"])
            self.assertGreater(row["each_second"][4]["ops_per_s"], 0)
            self.assertEqual(row["operations"] + sum(row["errors"].values()) + row["unsent"], 1500)

    def test_when_all_nodes_are_gone_it_ends_all_the_same(self):
        with harness.Cluster(nodes=1) as cluster, \
                Watched(cluster, "--workload", "b", "--connections", "3", "--duration", "3s") as watched:
            watched.await_second(1)
            cluster.nodes[0].kill()
            row = watched.end()
            self.assertGreater(row["operations"], 0)
            self.assertEqual(set(row["errors"]), {"connection"})
            self.assertGreater(row["longest_pause_ms"], 500)

    def test_a_node_that_comes_back_is_found_again(self):
        with harness.Cluster(nodes=1) as cluster, \
                Watched(cluster, "--workload", "b", "--connections", "3", "--duration", "1h") as watched:
            watched.await_second(1)
            cluster.nodes[0].kill()
            cluster.nodes[0].restart()
            before = watched.seen.count(b" 0 ops/s") + watched.seen.count(b"\n")
            watched.await_second(before + 2)
            harness.wait_until(lambda: self.last_rate(watched) > 0, "operations to go on")
            watched.process.send_signal(signal.SIGINT)
            self.assertEqual(watched.process.wait(harness.END_SECONDS), 130)

    def last_rate(self, watched):
        watched.seen += os.read(watched.lines, 4096)
        rates = re.findall(rb"(?m)^ +[0-9]+ s +([0-9,]+) ops/s", watched.seen)
        return int(rates[-1].replace(b",", b""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
