"""eddyctl inspect on the directories of real nodes: what they held, a running node's refused, a flipped byte found, and
nothing changed by looking."""

import glob
import hashlib
import json
import os
import subprocess
import unittest

import harness


def inspect(directory, *words):
    return subprocess.run([harness.EDDYCTL, "inspect", directory, *words], capture_output=True, timeout=60)


def contents(directory):
    """Every file but the lock, as it is."""
    found = {}
    for path in glob.glob(os.path.join(directory, "*")):
        with open(path, "rb") as file:
            found[os.path.basename(path)] = hashlib.sha256(file.read()).hexdigest()
    return found


class InspectTest(unittest.TestCase):
    def test_it_shows_what_a_node_held_and_changes_nothing(self):
        with harness.Cluster(3) as cluster:
            n1, n2, n3 = cluster.nodes
            for i in range(30):
                self.assertEqual(n1.put("k%d" % i, "v%d" % i, "--bucket", "shop"), harness.OK)
            for i in range(0, 30, 3):
                self.assertEqual(n1.ctl("del", "k%d" % i, "--bucket", "shop").returncode, harness.OK)
            # Two replicas are enough for a write; here all are to have everything.
            self.assertEqual(n1.ctl("repair", "--all", "--wait", seconds=60).returncode, harness.OK)
            n3.kill()
            self.assertEqual(n1.put("while-n3-is-away", "x", "--bucket", "shop"), harness.OK)

            refused = inspect(n1.directory)
            self.assertEqual(refused.returncode, harness.REFUSED, refused)
            self.assertIn(b"stop the node first", refused.stderr)
            self.assertEqual(inspect(cluster.folder).returncode, harness.USAGE)

            # n1 stops in order, n3 was killed: both can be read.
            self.assertEqual(n1.stop(), harness.STOPPED)
            n2.stop()
            before = contents(n1.directory), contents(n3.directory)
            shown = json.loads(inspect(n1.directory, "--json").stdout)
            self.assertEqual((shown["cluster"], shown["name"], shown["format"]), ("test", "n1", 1))
            self.assertTrue(shown["stopped_cleanly"])
            shop = next(bucket for bucket in shown["buckets"] if bucket["bucket"] == "shop")
            self.assertEqual((shop["records"], shop["tombstones"]), (31, 10))
            self.assertEqual(shown["siblings"], {"0": 10, "1": 21})
            self.assertEqual(shown["bad_rows"], 0)
            killed = inspect(n3.directory)
            self.assertEqual(killed.returncode, harness.OK, killed)
            self.assertIn(b"not stopped cleanly", killed.stdout)
            self.assertIn(b"every checksum is right", killed.stdout)

            one = json.loads(inspect(n1.directory, "--bucket", "shop", "--key", "k1", "--json").stdout)
            self.assertEqual(one["record"]["siblings"][0]["value"], "v1")
            self.assertIn(b"a tombstone", inspect(n1.directory, "--bucket", "shop", "--key", "k0").stdout)
            absent = inspect(n1.directory, "--bucket", "shop", "--key", "never")
            self.assertEqual(absent.returncode, harness.NOT_FOUND, absent)
            self.assertEqual((contents(n1.directory), contents(n3.directory)), before, "looking has changed something")

            table = max(glob.glob(os.path.join(n1.directory, "*.sst")), key=os.path.getsize)
            with open(table, "r+b") as file:
                file.seek(60)
                byte = file.read(1)
                file.seek(60)
                file.write(bytes([byte[0] ^ 1]))
            bad = inspect(n1.directory)
            self.assertEqual(bad.returncode, harness.UNHEALTHY, bad)
            self.assertIn(b"BAD:", bad.stdout)


if __name__ == "__main__":
    unittest.main()
