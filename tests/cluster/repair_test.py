"""A node that was away, or lost its disk, comes back to the same records as the others: by hints alone, then by
anti-entropy alone. EDDY_REPAIR_KEYS says how many keys are written; a quarter of them is deleted."""

import json
import os
import shutil
import time
import unittest

import harness

KEYS = int(os.environ.get("EDDY_REPAIR_KEYS", "8000"))
REPAIR_SECONDS = 120
ROUND_SECONDS = int(os.environ.get("EDDY_ROUND_SECONDS", "2"))


def lines(numbers, value):
    return "".join(json.dumps({"bucket": "default", "key": "k%d" % i, "value": value(i)}) + "\n"
                   for i in numbers).encode()


class RepairTest(unittest.TestCase):
    def write(self, cluster, node):
        """Writes the keys, then deletes every fourth."""
        path = os.path.join(cluster.folder, "keys.jsonl")
        with open(path, "wb") as file:
            file.write(lines(range(KEYS), lambda i: "%d-" % i + "x" * 1000))
        self.assertEqual(node.ctl("import", path).returncode, harness.OK)
        with harness.RespClient(node.address) as client:
            for i in range(0, KEYS, 4):
                client.send("SET", "r%d" % i, "v")
            for i in range(0, KEYS, 4):
                client.receive()
            for i in range(0, KEYS, 4):
                client.send("DEL", "r%d" % i)
            for i in range(0, KEYS, 4):
                client.receive()

    def counters(self, nodes, name):
        total = 0
        for node in nodes:
            status = json.loads(node.ctl("status", "--json").stdout)
            mine = next(each for each in status["nodes"] if each["name"] == node.name)
            total += mine["counters"][name]
        return total

    def synced(self, nodes):
        return self.counters(nodes, "sync_pushed") + self.counters(nodes, "sync_pulled")

    def repair(self, node):
        ended = node.ctl("repair", "--all", "--wait", "--json", "--timeout", "20s", seconds=REPAIR_SECONDS)
        self.assertEqual(ended.returncode, harness.OK, ended)
        said = json.loads(ended.stdout)
        self.assertEqual(said["equal"], said["partitions"])
        print("equal after %.1f s" % said["seconds"])

    def alone(self, cluster, node):
        """What the node itself holds, shown while the others are down."""
        for other in cluster.nodes:
            if other is not node:
                other.kill()
        shown = node.ctl("export", "-r", "1", "--direct")
        self.assertIn(shown.returncode, (harness.OK, harness.PARTIAL), shown.stderr[-500:])
        for other in cluster.nodes:
            if other is not node:
                other.start()
        for other in cluster.nodes:
            other.wait_ready()
        return sorted(shown.stdout.splitlines())

    def assert_same(self, cluster, one, other):
        first, second = self.alone(cluster, one), self.alone(cluster, other)
        self.assertEqual(len(first), KEYS)
        self.assertEqual(second, first)

    def test_hints_alone_bring_a_node_up_to_date(self):
        with harness.Cluster(3, start=False) as cluster:
            cluster.flags = ("--config", self.config(cluster, 0))
            cluster.start()
            n1, n2, n3 = cluster.nodes
            n3.stop()
            self.write(cluster, n1)
            self.assertGreaterEqual(self.counters([n1, n2], "hints_kept"), KEYS)
            n3.start()
            n3.wait_ready()
            rows = KEYS + len(range(0, KEYS, 4))
            begun = time.monotonic()
            harness.wait_until(lambda: self.counters([n1, n2], "hints_delivered") >= rows, "the hints",
                               REPAIR_SECONDS)
            print("delivered after %.1f s" % (time.monotonic() - begun))
            self.assertEqual(self.synced(cluster.nodes), 0)
            self.assert_same(cluster, n1, n3)

    def test_anti_entropy_alone_fills_an_empty_disk(self):
        with harness.Cluster(3) as cluster:
            n1, _, n3 = cluster.nodes
            self.write(cluster, n1)
            n3.kill()
            shutil.rmtree(n3.directory)
            # What it is now is another node, which comes in the place of the one that was lost.
            n3.start("--replace", "n3")
            n3.wait_ready()
            self.repair(n1)
            self.assertGreaterEqual(self.synced(cluster.nodes), KEYS)
            self.assert_same(cluster, n1, n3)

    def test_replicas_that_are_equal_are_compared_by_their_roots_alone(self):
        with harness.Cluster(3, start=False) as cluster:
            cluster.flags = ("--config", self.config(cluster, ROUND_SECONDS), "--durability", "os")
            cluster.start()
            n1 = cluster.nodes[0]
            filled = n1.ctl("bench", "--op", "get", "--door", "native", "--keys", str(KEYS), "--value-bytes", "100",
                            "--connections", "16", "--depth", "16", "--duration", "100ms", "--warm-up", "0s",
                            "--pids", str(n1.process.pid), seconds=300)
            self.assertEqual(filled.returncode, harness.OK, filled)
            self.repair(n1)

            def counted():
                return {name: self.counters(cluster.nodes, name) for name in
                        ("syncs_equal", "syncs_levelled", "peer_bytes_written", "replica_writes")}

            def equal():
                return self.counters(cluster.nodes, "syncs_equal")

            # Each partition is compared by each pair of its three owners.
            comparisons = 256 * 3
            before, cpu = counted(), sum(node.cpu_seconds() for node in cluster.nodes)
            # Asking costs the nodes more than what is measured.
            harness.wait_until(lambda: equal() >= before["syncs_equal"] + comparisons, "a round",
                               20 * ROUND_SECONDS, every=ROUND_SECONDS / 2)
            after = counted()
            done = {name: after[name] - before[name] for name in after}
            rounds = done["syncs_equal"] / comparisons
            print("%d equal records: %.1f rounds; of each %.0f bytes between nodes, and %.3f s of processor time, "
                  "all else that idle nodes do included" % (
                      KEYS, rounds, done["peer_bytes_written"] / rounds,
                      (sum(node.cpu_seconds() for node in cluster.nodes) - cpu) / rounds))
            self.assertEqual(done["syncs_levelled"], 0)
            self.assertEqual(done["replica_writes"], 0)
            self.assertLess(done["peer_bytes_written"] / rounds, 1 << 20)

    def test_status_and_mistakes(self):
        with harness.Cluster(3) as cluster:
            n1, n2, n3 = cluster.nodes
            self.repair(n1)
            status = json.loads(n1.ctl("repair", "status", "--json").stdout)
            self.assertEqual(status["partitions_never_equal"], 0)
            self.assertEqual([node["trees_known"] for node in status["nodes"]], [256] * 3)
            self.assertIn(b"all 256 partitions were found equal on all their owners",
                          n1.ctl("repair", "status").stdout)
            ended = n1.ctl("repair", "--key", "k", "--wait", "--json")
            self.assertEqual(json.loads(ended.stdout)["partitions"], 1, ended)

            for words, code, text in ((("repair",), harness.USAGE, b"--all"),
                                      (("repair", "--all", "--key", "k"), harness.USAGE, b"--all"),
                                      (("repair", "--partition", "256"), harness.USAGE, b"the last is 255"),
                                      (("repair", "--partition", "x"), harness.USAGE, b"partition")):
                ended = n1.ctl(*words)
                self.assertEqual(ended.returncode, code, ended)
                self.assertIn(text, ended.stderr)
            n3.kill()
            ended = n1.ctl("repair", "--all", "--wait")
            self.assertEqual(ended.returncode, harness.UNHEALTHY, ended)
            self.assertIn(b"n3", ended.stderr)
            ended = n1.ctl("repair", "status")
            self.assertEqual(ended.returncode, harness.UNHEALTHY)

            n2.stop()
            n2.start("--config", self.config(cluster, 0))
            n2.wait_ready()
            ended = n2.ctl("repair", "--all")
            self.assertNotEqual(ended.returncode, harness.OK)
            self.assertIn(b"anti_entropy_seconds", ended.stderr)

    @staticmethod
    def config(cluster, anti_entropy_seconds):
        path = os.path.join(cluster.folder, "anti-entropy.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[background]\nanti_entropy_seconds = %d\n" % anti_entropy_seconds)
        return path


if __name__ == "__main__":
    unittest.main(verbosity=2)
