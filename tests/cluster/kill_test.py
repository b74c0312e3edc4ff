"""eddyd is killed (SIGKILL) at random moments under load, with durability sync, over and over: every acknowledged write
is there afterwards, in order, and no record is torn. EDDY_KILL_SECONDS says for how long."""

import os
import random
import subprocess
import threading
import time
import unittest

import harness

SECONDS = float(os.environ.get("EDDY_KILL_SECONDS", "25"))
WRITERS = 4
BATCH = 16
HOT = 8


class Writer(threading.Thread):
    """Writes fresh keys, and hot ones over and over, until its connection breaks."""

    def __init__(self, node, number, first):
        super().__init__()
        self.node, self.number, self.next = node, number, first
        self.acknowledged = {}
        self.daemon = True

    def run(self):
        try:
            with self.node.resp() as client:
                while True:
                    batch = []
                    for _ in range(BATCH):
                        at = self.next
                        self.next += 1
                        hot = at % 3 == 0
                        key = "hot%d-%d" % (self.number, at % HOT) if hot else "w%d-%d" % (self.number, at)
                        batch.append((key, at))
                        client.send("SET", key, "%d " % at + "x" * (at * 37 % 2000))
                    for key, at in batch:
                        client.receive()
                        self.acknowledged[key] = at
        except (OSError, EOFError, harness.RespError):
            pass  # it was killed, or is being


class KillTest(unittest.TestCase):
    def check(self, node, acknowledged):
        with node.resp() as client:
            keys = list(acknowledged)
            for begin in range(0, len(keys), 500):
                some = keys[begin:begin + 500]
                for key in some:
                    client.send("GET", key)
                for key in some:
                    value = client.receive()
                    self.assertIsNotNone(value, "%s was acknowledged and is gone" % key)
                    number, filling = value.decode().split(" ")
                    # Of a hot key a later write may have come through unacknowledged.
                    at = int(number)
                    self.assertGreaterEqual(at, acknowledged[key], key)
                    self.assertTrue(key.startswith("hot") or at == acknowledged[key], key)
                    self.assertEqual(filling, "x" * (at * 37 % 2000), "%s is torn" % key)

    def test_nothing_acknowledged_is_lost_or_torn(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        everything = {}
        first = [0] * WRITERS
        kills = 0
        with harness.Cluster(1) as cluster:
            node = cluster.nodes[0]
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                writers = [Writer(node, i, first[i]) for i in range(WRITERS)]
                for writer in writers:
                    writer.start()
                enough = chance.choice((0, 1, 50, 500, 3000)) + chance.randrange(200)
                harness.wait_until(lambda: sum(len(writer.acknowledged) for writer in writers) >= enough
                                   or not any(writer.is_alive() for writer in writers), "writes")
                node.kill()
                kills += 1
                fresh = {}
                for i, writer in enumerate(writers):
                    writer.join()
                    fresh.update(writer.acknowledged)
                    first[i] = writer.next
                everything.update(fresh)
                # Sometimes it is killed while it recovers.
                if chance.random() < 0.2:
                    said = len(node.log())
                    node.start()
                    if chance.random() < 0.5:
                        harness.wait_until(lambda: len(node.log()) > said, "a word of it")
                    node.kill()
                    kills += 1
                node.restart()
                self.check(node, fresh)
            self.check(node, everything)
            node.kill()
            shown = subprocess.run([harness.EDDYCTL, "inspect", node.directory], capture_output=True, timeout=60)
            self.assertEqual(shown.returncode, harness.OK, shown)
            self.assertIn(b"every checksum is right", shown.stdout)
        self.assertGreater(kills, 3)
        self.assertGreater(len(everything), 100)
        print("seed %d: %d kills, %d keys acknowledged" % (seed, kills, len(everything)))


if __name__ == "__main__":
    unittest.main()
