"""Bytes of a stopped node's files are flipped: it starts, never answers 'absent' for what it lost, says so, and gets it
back from the others; and where a log was cut off, or files were written anew, likewise."""

import glob
import json
import os
import unittest

import harness

KEYS = 3000
MEND_SECONDS = 90


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x40]))


class RotTest(unittest.TestCase):
    def fill(self, cluster):
        path = os.path.join(cluster.folder, "keys.jsonl")
        with open(path, "w", encoding="ascii") as file:
            for i in range(KEYS):
                file.write(json.dumps({"bucket": "default", "key": "k%d" % i, "value": "%d-" % i + "x" * 500}) + "\n")
        self.assertEqual(cluster.nodes[0].ctl("import", path).returncode, harness.OK)
        # Of the three replicas two make an import; here all three are to have everything.
        ended = cluster.nodes[0].ctl("repair", "--all", "--wait", seconds=120)
        self.assertEqual(ended.returncode, harness.OK, ended)

    def now(self, node, name):
        status = json.loads(node.ctl("status", "--json").stdout)
        mine = next(each for each in status["nodes"] if each["name"] == node.name)
        return mine.get("counters", {}).get(name)

    def assert_all_there(self, node, *flags):
        """Every key, read through this node: some other value, or none, would be a lie."""
        for i in range(0, KEYS, 7):
            self.assertEqual(node.get("k%d" % i, *flags), "%d-" % i + "x" * 500)

    def mended(self, node):
        return self.now(node, "now_damaged_ranges") == 0

    def alone(self, cluster, node):
        """What the node itself holds, shown while the others are down."""
        for other in cluster.nodes:
            if other is not node:
                other.stop()
        shown = node.ctl("export", "-r", "1", "--direct")
        self.assertIn(shown.returncode, (harness.OK, harness.PARTIAL), shown.stderr[-500:])
        return len(shown.stdout.splitlines())

    def test_a_rotten_table_is_written_anew_and_filled_by_the_others(self):
        with harness.Cluster(3) as cluster:
            self.fill(cluster)
            n3 = cluster.nodes[2]
            self.assertEqual(n3.stop(), harness.STOPPED)
            tables = sorted(glob.glob(os.path.join(n3.directory, "*.sst")), key=os.path.getsize)
            size = os.path.getsize(tables[-1])
            for part in (3, 5, 8):
                flip(tables[-1], size * part // 10)
            n3.start()
            # Its trees, built at the start, find it; or a client does.
            harness.wait_until(lambda: "written anew without it" in n3.log(), "the salvage", MEND_SECONDS)
            n3.wait_ready()
            self.assertIn("closes its directory and opens it again", n3.log())
            self.assert_all_there(n3)
            harness.wait_until(lambda: self.mended(n3), "the mending", MEND_SECONDS)
            self.assertGreater(self.now(n3, "partitions_mended"), 0)
            self.assertIn("brought back from the other replicas", n3.log())
            self.assertIsNone(n3.process.poll())
            self.assertEqual(self.alone(cluster, n3), KEYS)

    def test_a_rotten_log_is_noticed_and_the_node_answers_for_nothing_until_it_is_filled(self):
        with harness.Cluster(3) as cluster:
            self.fill(cluster)
            n1, n2, n3 = cluster.nodes
            n3.kill()
            logs = sorted(glob.glob(os.path.join(n3.directory, "*.log")), key=os.path.getsize)
            size = os.path.getsize(logs[-1])
            self.assertGreater(size, 100_000)
            flip(logs[-1], size // 3)
            n2.stop()
            n3.start()
            n3.wait_ready()
            self.assertIn("write-ahead log has rotted", n3.log())
            # One owner is away, so nothing can be mended yet, and n3 is no second witness.
            self.assertEqual(self.now(n3, "now_damaged_ranges"), 16384)
            for i in range(0, KEYS, 100):
                self.assertEqual(n3.get("k%d" % i, "-r", "1"), "%d-" % i + "x" * 500)
            shown = n1.ctl("status")
            self.assertIn(b"n3 has lost records", shown.stdout)
            n2.restart()
            harness.wait_until(lambda: self.mended(n3), "the mending", MEND_SECONDS)
            self.assert_all_there(n3)
            self.assertEqual(self.alone(cluster, n3), KEYS)


if __name__ == "__main__":
    unittest.main()
