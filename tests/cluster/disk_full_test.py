"""A small disk fills up: one node's is a tmpfs in a mount namespace of its own, the others' is the machine's. Writes go
on through every node, nothing that was acknowledged is lost, and with room again the node catches up by itself."""

import json
import os
import subprocess
import unittest

import harness

DISK_MIB = 96
SECONDS = 90


@unittest.skipUnless(harness.may_mount(), "no mount namespaces here")
class DiskFullTest(unittest.TestCase):
    def start_on_small_disk(self, cluster, node):
        """As node.start(), but its data directory is a small tmpfs that nobody else sees."""
        os.makedirs(node.directory, exist_ok=True)
        flags = ("--cluster", cluster.name, "--name", node.name, "--seeds", cluster.seeds, "--data-dir", node.directory)
        script = 'mount -t tmpfs -o size=%dm tmpfs "$1" && shift && exec "$@"' % DISK_MIB
        with open(node.log_path, "ab") as log:
            node.process = subprocess.Popen(
                ["unshare", "-rm", "sh", "-c", script, "sh", node.directory, harness.EDDYD, *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=harness.daemon_environment())
        cluster.processes.append(node.process)

    def disk(self, node):
        """The node's data directory as it sees it."""
        return "/proc/%d/root%s" % (node.process.pid, node.directory)

    def now(self, asked, node, name):
        status = json.loads(asked.ctl("status", "--json").stdout)
        mine = next(each for each in status["nodes"] if each["name"] == node.name)
        return mine.get("counters", {}).get(name)

    def fill_to(self, node, free_percent):
        """Somebody else's file takes the room."""
        disk = os.statvfs(self.disk(node))
        room = (disk.f_bavail - disk.f_blocks * free_percent // 100) * disk.f_frsize
        with open(os.path.join(self.disk(node), "somebody-elses"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, room)

    def test_a_full_disk_refuses_puts_alone_and_the_others_stand_in(self):
        with harness.Cluster(4, start=False) as cluster:
            small = cluster.nodes[0]
            self.start_on_small_disk(cluster, small)
            for node in cluster.nodes[1:]:
                node.start()
            for node in cluster.nodes:
                node.wait_ready()
            for i in range(50):
                self.assertEqual(small.put("before%d" % i, "v"), harness.OK)

            self.fill_to(small, 3)
            harness.wait_until(lambda: self.now(small, small, "now_out_of_room") == 1, "the reserve", SECONDS)
            self.assertIn("takes no more writes but deletes", small.log())
            shown = cluster.nodes[1].ctl("status")
            self.assertRegex(shown.stdout, rb"n1 has [0-4] % of its disk free")
            # Clients notice nothing, through whichever node, though two of three must be durable.
            for i in range(200):
                self.assertEqual(cluster.nodes[i % 4].put("during%d" % i, "w"), harness.OK)
            # What is there is read, also from this node alone, and deletes go on, and hold.
            for i in range(50):
                self.assertEqual(small.get("before%d" % i), "v")
            for i in range(0, 50, 5):
                self.assertEqual(small.ctl("del", "before%d" % i).returncode, harness.OK)
                self.assertIsNone(small.get("before%d" % i))
            self.assertGreater(self.now(small, small, "store_refused_no_room"), 0)
            kept = [self.now(small, node, "hints_kept") for node in cluster.nodes[1:]]
            self.assertGreater(sum(kept), 0, "nobody stood in")

            os.unlink(os.path.join(self.disk(small), "somebody-elses"))
            harness.wait_until(lambda: self.now(small, small, "now_out_of_room") == 0, "room", SECONDS)
            ended = small.ctl("repair", "--all", "--wait", seconds=SECONDS)
            self.assertEqual(ended.returncode, harness.OK, ended)
            for i in range(200):
                self.assertEqual(small.get("during%d" % i, "-r", "3"), "w")
            self.assertEqual(small.put("after", "x"), harness.OK)
            self.assertEqual(small.stop(), harness.STOPPED)

    def test_a_disk_that_somebody_fills_to_the_brim_brings_nothing_down_for_good(self):
        with harness.Cluster(3, start=False) as cluster:
            small = cluster.nodes[0]
            self.start_on_small_disk(cluster, small)
            for node in cluster.nodes[1:]:
                node.start()
            for node in cluster.nodes:
                node.wait_ready()
            self.assertEqual(small.put("before", "v"), harness.OK)
            self.fill_to(small, 0)
            # Whatever the engine meets there before the reserve is noticed, the others make the quorum.
            for i in range(100):
                self.assertEqual(cluster.nodes[1 + i % 2].put("k%d" % i, "w" * 1000), harness.OK)
            self.assertEqual(cluster.nodes[1].get("before"), "v")
            os.unlink(os.path.join(self.disk(small), "somebody-elses"))
            small.wait_ready()
            harness.wait_until(lambda: self.now(small, small, "now_out_of_room") == 0, "room", SECONDS)
            ended = small.ctl("repair", "--all", "--wait", seconds=SECONDS)
            self.assertEqual(ended.returncode, harness.OK, ended)
            for i in range(100):
                self.assertEqual(small.get("k%d" % i, "-r", "3"), "w" * 1000)


if __name__ == "__main__":
    unittest.main()
