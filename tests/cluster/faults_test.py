"""Three real nodes that are killed, paused, stopped and started again: what was acknowledged stays, from every node."""

import json
import shutil
import signal
import threading
import time
import unittest

import harness
from harness import NOT_DONE, OK, Cluster


def write_all(client, values):
    """Stores them all, pipelined; gives those that were acknowledged."""
    acknowledged = {}
    keys = list(values)
    for i in range(0, len(keys), 100):
        some = keys[i:i + 100]
        for key in some:
            client.send("SET", key, values[key])
        for key in some:
            try:
                if client.receive() == b"OK":
                    acknowledged[key] = values[key]
            except harness.RespError:
                pass
    return acknowledged


def read_all(client, keys):
    keys = list(keys)
    found = {}
    for i in range(0, len(keys), 100):
        some = keys[i:i + 100]
        for key in some:
            client.send("GET", key)
        for key in some:
            value = client.receive()
            found[key] = None if value is None else value.decode()
    return found


class FaultsTest(unittest.TestCase):
    def start(self, **options):
        cluster = Cluster(**options)
        self.addCleanup(cluster.close)
        return cluster

    def assert_all_read(self, cluster, expected, nodes=None):
        for node in nodes or cluster.nodes:
            with node.resp() as client:
                found = read_all(client, expected)
            wrong = {key: (value, found[key]) for key, value in expected.items() if found[key] != value}
            self.assertEqual(list(wrong.items())[:5], [], "from %s" % node.name)

    def test_what_waited_while_a_node_stood_still_is_not_done_afterwards(self):
        """Its client has asked another node since, and a late write would pass for the latest."""
        cluster = self.start(start=False)
        config = cluster.folder + "/eddy.toml"
        with open(config, "w", encoding="utf-8") as file:
            file.write("[limits]\ndeadline_ms = 300\n")
        cluster.flags = ("--config", config)
        cluster.start()
        n1, n2, _ = cluster.nodes
        with n1.resp() as client, n2.resp() as other:
            self.assertEqual(client.ask("SET", "k", "early"), b"OK")
            n1.signal(signal.SIGSTOP)
            try:
                client.send("SET", "k", "stale")
                # Which takes n2 longer than a request may take.
                harness.wait_until(lambda: other.ask("SET", "k", "new") and self.is_missed(n2, "n1"), "n1 to be missed")
            finally:
                n1.signal(signal.SIGCONT)
            with self.assertRaisesRegex(harness.RespError, "stood still"):
                client.receive()
            harness.wait_until(lambda: n1.get("k", "--bucket", "redis") == "new", "n1 to have read what it had missed")
            for node in cluster.nodes:
                self.assertEqual(node.get("k", "--bucket", "redis"), "new")

    def is_missed(self, node, name):
        shown = json.loads(node.ctl("members", "--json").stdout)
        return not {member["name"]: member for member in shown["members"]}[name]["reachable"]

    def test_a_nodes_clock_and_disk_are_broken_by_hand_and_mended(self):
        cluster = self.start(start=False)
        cluster.flags = ("--enable-fault-injection",)
        cluster.start()
        n1, n2, _ = cluster.nodes

        def out_of_room():
            nodes = json.loads(n2.ctl("status", "--json").stdout)["nodes"]
            return {node["name"]: node for node in nodes}["n1"]["counters"]["now_out_of_room"]

        said = n1.ctl("faults", "set", "[]", "--clock-offset", "-3600000", "--disk-full")
        self.assertEqual(said.returncode, OK, said)
        self.assertIn(b"off by -3600000 ms", n1.ctl("faults", "show").stdout)
        self.assertRegex(n2.ctl("doctor").stdout, rb"problem +clocks +.* ms ahead")
        harness.wait_until(lambda: out_of_room() == 1, "n1 to find its disk full")
        self.assertEqual(n1.put("k", "new"), OK)
        self.assertEqual(n2.get("k"), "new")
        self.assertEqual(n1.ctl("faults", "set", "[]").stdout, b"no faults any more\n")
        harness.wait_until(lambda: out_of_room() == 0, "n1 to find its disk empty")
        self.assertNotRegex(n2.ctl("doctor").stdout, rb"problem +clocks")
        self.assertEqual(n1.ctl("faults", "set", "[]", "--clock-offset", "soon").returncode, harness.USAGE)
        self.assertEqual(n1.ctl("faults", "set", "[]", "--clock-offset", "99999999999").returncode, harness.USAGE)

    def test_every_node_gives_what_any_node_took(self):
        cluster = self.start()
        for node in cluster.nodes:
            self.assertEqual(node.put("by-" + node.name, "value of " + node.name), OK)
        for reader in cluster.nodes:
            for writer in cluster.nodes:
                self.assertEqual(reader.get("by-" + writer.name), "value of " + writer.name)
        self.assertEqual(cluster.nodes[0].ctl("del", "by-n2").returncode, OK)
        for reader in cluster.nodes:
            self.assertIsNone(reader.get("by-n2"))

    def test_gossip_tells_the_dead_from_the_stopped(self):
        cluster = self.start()
        n1, _, n3 = cluster.nodes

        def seen():
            shown = json.loads(n1.ctl("members", "--json").stdout)
            return {member["name"]: member["gossip"] for member in shown["members"]}

        def wait_seen(how):
            harness.wait_until(lambda: seen()["n3"] == how, "n1 to see n3 %s" % how)

        wait_seen("alive")
        n3.kill()
        wait_seen("dead")
        self.assertIn(b"DEAD", n1.ctl("members").stdout)
        harness.wait_until(lambda: "n3 at" in n1.log() and "is dead" in n1.log(), "the log to say so")
        n3.restart()
        wait_seen("alive")
        self.assertEqual(n3.stop(), harness.STOPPED)
        wait_seen("stopped")
        self.assertIn(b"STOPPED", n1.ctl("members").stdout)
        n3.restart()
        wait_seen("alive")
        self.assertEqual(seen(), {"n1": "alive", "n2": "alive", "n3": "alive"})

    def test_a_killed_node_costs_nothing_and_catches_up(self):
        cluster = self.start()
        n1, n2, n3 = cluster.nodes
        values = {"k%d" % i: "first %d" % i for i in range(2000)}
        with n1.resp() as client:
            self.assertEqual(len(write_all(client, values)), 2000)
        self.assert_all_read(cluster, values)

        n2.kill()
        changed = {"k%d" % i: "second %d" % i for i in range(0, 2000, 3)}
        changed.update(("late%d" % i, "late %d" % i) for i in range(500))
        with n3.resp() as client:
            self.assertEqual(len(write_all(client, changed)), len(changed))
            for i in range(1, 2000, 3):
                client.send("DEL", "k%d" % i)
            for i in range(1, 2000, 3):
                self.assertEqual(client.receive(), 1)
        values.update(changed)
        values.update(("k%d" % i, None) for i in range(1, 2000, 3))
        self.assert_all_read(cluster, values, (n1, n3))

        n2.restart()
        self.assert_all_read(cluster, values)

    def test_nothing_acknowledged_is_lost_when_all_are_killed_while_they_write(self):
        cluster = self.start()
        values = {"k%d" % i: "v%d" % i for i in range(20000)}
        acknowledged = {}

        def write():
            try:
                with cluster.nodes[0].resp() as client:
                    for key, value in values.items():
                        if client.ask("SET", key, value) == b"OK":
                            acknowledged[key] = value
            except OSError:
                pass

        writer = threading.Thread(target=write)
        writer.start()
        harness.wait_until(lambda: len(acknowledged) > 300, "some writes")
        for node in cluster.nodes:
            node.signal(signal.SIGKILL)
        for node in cluster.nodes:
            node.end()
        writer.join(harness.END_SECONDS)
        self.assertFalse(writer.is_alive())
        cluster.start()
        self.assert_all_read(cluster, acknowledged)

    def test_a_paused_node_does_not_hold_the_others_up(self):
        cluster = self.start()
        n1, _, n3 = cluster.nodes
        values = {"k%d" % i: "v%d" % i for i in range(300)}
        n3.signal(signal.SIGSTOP)
        begin = time.monotonic()
        with n1.resp() as client:
            self.assertEqual(len(write_all(client, values)), len(values))
            self.assertEqual(read_all(client, values), values)
        self.assertLess(time.monotonic() - begin, 10)
        n3.signal(signal.SIGCONT)
        self.assert_all_read(cluster, values)

    def test_two_of_three_dead_refuses_writes_and_says_so(self):
        cluster = self.start()
        n1, n2, n3 = cluster.nodes
        self.assertEqual(n1.put("k", "v"), OK)
        n2.kill()
        n3.kill()
        ended = n1.ctl("put", "k", "w", "--timeout", "2s")
        self.assertIn(ended.returncode, (NOT_DONE, harness.UNKNOWN), ended)
        # One replica is all that this read wants.
        self.assertIn(n1.get("k", "-r", "1"), ("v", "w"))
        n2.restart()
        self.assertEqual(n1.put("k", "x"), OK)
        self.assertEqual(n2.get("k"), "x")

    def test_a_clean_stop_in_the_middle_of_writes_answers_what_it_took(self):
        cluster = self.start()
        n1 = cluster.nodes[0]
        acknowledged = {}

        def write():
            try:
                with n1.resp() as client:
                    for i in range(100000):
                        if client.ask("SET", "k%d" % i, "v%d" % i) == b"OK":
                            acknowledged["k%d" % i] = "v%d" % i
            except (OSError, harness.RespError):
                pass

        writer = threading.Thread(target=write)
        writer.start()
        harness.wait_until(lambda: len(acknowledged) > 200, "some writes")
        self.assertEqual(n1.stop(), harness.STOPPED)
        writer.join(harness.END_SECONDS)
        self.assertFalse(writer.is_alive())
        self.assertIn("stopped cleanly", n1.log())
        n1.restart()
        self.assert_all_read(cluster, acknowledged)

    def test_a_rolling_restart_loses_no_write_of_a_client_that_turns_to_another_node(self):
        cluster = self.start()
        for round_number in range(3):
            going = cluster.nodes[round_number]
            others = [node for node in cluster.nodes if node is not going]
            self.assertEqual(going.stop(), harness.STOPPED)
            values = {"r%d-%d" % (round_number, i): "v%d" % i for i in range(200)}
            with others[0].resp() as client:
                self.assertEqual(len(write_all(client, values)), len(values))
            going.restart()
            self.assert_all_read(cluster, values)

    def test_a_directory_restored_from_an_old_backup_loses_nothing(self):
        cluster = self.start()
        n1 = cluster.nodes[0]
        before = {"old%d" % i: "v%d" % i for i in range(200)}
        with n1.resp() as client:
            write_all(client, before)
        self.assertEqual(n1.stop(), harness.STOPPED)
        shutil.copytree(n1.directory, n1.directory + ".backup")
        n1.restart()
        after = {"new%d" % i: "v%d" % i for i in range(200)}
        after.update(("old%d" % i, "changed %d" % i) for i in range(0, 200, 2))
        with n1.resp() as client:
            write_all(client, after)
        n1.kill()
        shutil.rmtree(n1.directory)
        shutil.move(n1.directory + ".backup", n1.directory)
        n1.restart()
        # What it would have numbered as it had numbered others already is a write like any other.
        latest = {"new%d" % i: "latest %d" % i for i in range(0, 200, 2)}
        with n1.resp() as client:
            self.assertEqual(len(write_all(client, latest)), len(latest))
        self.assert_all_read(cluster, {**before, **after, **latest})


if __name__ == "__main__":
    unittest.main(verbosity=2)
