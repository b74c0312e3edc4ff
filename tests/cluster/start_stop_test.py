"""How eddyd starts and stops, and how it says no: each refusal is a clear text and an exit code, and nothing is lost."""

import json
import os
import random
import signal
import socket
import subprocess
import unittest
import urllib.request

import harness
from harness import EDDYD, HTTP, NATIVE, OK, PEER, REFUSED, RESP, Cluster, daemon_environment


def log_texts(node):
    return "\n".join(json.loads(line)["text"] for line in node.log().splitlines())


class StartStopTest(unittest.TestCase):
    def start(self, **options):
        cluster = Cluster(**options)
        self.addCleanup(cluster.close)
        return cluster

    def run_eddyd(self, *flags, environment=None):
        return subprocess.run([EDDYD, *flags], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, text=True,
                              env=daemon_environment(**(environment or {})))

    def one_node(self):
        cluster = self.start(nodes=1)
        return cluster, cluster.nodes[0]

    def other_address(self, cluster):
        return cluster.network + ".99"

    def test_settings_come_from_the_environment_and_an_unknown_one_is_refused(self):
        ended = self.run_eddyd("--check-config", environment={"EDDY_DOORS_NATIVE": "7379"})
        self.assertEqual(ended.returncode, harness.BAD_CONFIG)
        self.assertIn("have the same port 7379", ended.stderr)
        ended = self.run_eddyd(environment={"EDDY_STORAGE_DURABILTY": "os"})
        self.assertEqual(ended.returncode, harness.BAD_CONFIG)
        self.assertIn("did you mean EDDY_STORAGE_DURABILITY?", ended.stderr)

    def test_a_second_daemon_on_the_same_directory_is_refused(self):
        cluster, node = self.one_node()
        ended = self.run_eddyd("--cluster", "test", "--data-dir", node.directory, "--host", self.other_address(cluster))
        self.assertEqual(ended.returncode, harness.NO_DIRECTORY, ended)
        self.assertIn(node.directory, ended.stderr)
        self.assertEqual(node.put("k", "v"), OK)
        self.assertEqual(node.get("k"), "v")

    def test_a_port_in_use_is_named_with_its_door_and_flag(self):
        cluster, node = self.one_node()
        doors = (("native", "--native-port", NATIVE), ("resp", "--resp-port", RESP), ("http", "--http-port", HTTP))
        for door, flag, port in doors:
            free = [f for d, f, _ in doors if d != door]
            ended = self.run_eddyd("--cluster", "test", "--host", node.address, "--data-dir", node.directory + ".2",
                                   "--peer-port", "7999", free[0], "0", free[1], "0")
            self.assertEqual(ended.returncode, harness.NO_DOOR, ended)
            for part in ("the %s door" % door, "%s:%d" % (node.address, port), "in use", flag):
                self.assertIn(part, ended.stderr)
        del cluster

    def test_a_door_that_cannot_be_opened_leaves_the_directory_as_it_was(self):
        cluster, node = self.one_node()
        self.assertEqual(node.put("k", "v"), OK)
        self.assertEqual(node.stop(), harness.STOPPED)
        with socket.socket() as other:
            other.bind((node.address, NATIVE))
            other.listen()
            node.start()
            self.assertEqual(node.end(), harness.NO_DOOR)
        node.restart()
        self.assertEqual(node.get("k"), "v")
        del cluster

    def test_an_address_of_another_machine_is_refused(self):
        cluster, node = self.one_node()
        ended = self.run_eddyd("--cluster", "test", "--host", "192.0.2.1", "--data-dir", node.directory + ".2")
        self.assertEqual(ended.returncode, harness.NO_DOOR, ended)
        self.assertIn("--host", ended.stderr)
        del cluster

    def test_the_directory_of_another_cluster_or_node_is_refused_and_kept(self):
        cluster, node = self.one_node()
        self.assertEqual(node.put("k", "v"), OK)
        self.assertEqual(node.stop(), harness.STOPPED)
        common = ("--data-dir", node.directory, "--host", self.other_address(cluster))
        for flags in (("--cluster", "other", "--name", "n1"), ("--cluster", "test", "--name", "n2")):
            ended = self.run_eddyd(*common, *flags)
            self.assertEqual(ended.returncode, harness.NO_DIRECTORY, ended)
            self.assertIn(node.directory, ended.stderr)
        node.restart()
        self.assertEqual(node.get("k"), "v")

    def test_a_bad_configuration_is_named_line_by_line(self):
        with Cluster(nodes=1, start=False) as cluster:
            path = os.path.join(cluster.folder, "eddy.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write('[doors]\nnative = "7400"\n\n[storage]\ndurabilty = "os"\n')
            for flags in (("--config", path), ("--config", path, "--check-config")):
                ended = self.run_eddyd(*flags)
                self.assertEqual(ended.returncode, harness.BAD_CONFIG, ended)
                self.assertIn("%s:2:10: native: expected an integer" % path, ended.stderr)
                self.assertIn("%s:5:1: unknown key 'durabilty' in [storage]; did you mean 'durability'?" % path,
                              ended.stderr)
            self.assertEqual(os.listdir(cluster.folder), ["eddy.toml"])

    def test_the_pid_file_is_there_while_the_process_is(self):
        with Cluster(nodes=1, start=False) as cluster:
            node = cluster.nodes[0]
            path = os.path.join(cluster.folder, "pid")
            node.start("--pid-file", path)
            node.wait_ready()
            with open(path, encoding="utf-8") as file:
                self.assertEqual(int(file.read()), node.process.pid)
            self.assertEqual(node.stop(), harness.STOPPED)
            self.assertFalse(os.path.exists(path))

    def test_a_second_signal_ends_it_at_once(self):
        cluster = self.start()
        n1 = cluster.nodes[0]
        # Its peers stand still, so what it has taken cannot be answered before the drain's time is over.
        for node in cluster.nodes[1:]:
            node.signal(signal.SIGSTOP)
        with n1.resp() as client:
            client.send("SET", "k", "v")
            harness.wait_until(lambda: self.status(n1)["operations_in_flight"] > 0, "a write in flight")
            n1.signal(signal.SIGTERM)
            harness.wait_until(lambda: "SIGTERM" in n1.log(), "the first signal to be taken")
            n1.signal(signal.SIGINT)
            self.assertEqual(n1.end(), harness.FAILED)
        self.assertIn("a second signal", n1.log())

    def status(self, node):
        with urllib.request.urlopen("http://%s:%d/admin/v1/status" % (node.address, HTTP), timeout=10) as reply:
            return json.load(reply)

    def test_members_and_doors_are_told(self):
        cluster = self.start()
        harness.wait_until(lambda: all(member["reachable"] for node in cluster.nodes
                                       for member in self.status(node)["members"]), "all to see all")
        status = self.status(cluster.nodes[0])
        self.assertEqual({member["name"]: member["host"] for member in status["members"]},
                         {node.name: node.address for node in cluster.nodes})
        self.assertEqual(sum(self.status(node)["partitions_owned"] for node in cluster.nodes), status["partitions"])
        with urllib.request.urlopen("http://%s:%d/metrics" % (cluster.nodes[0].address, HTTP), timeout=10) as reply:
            self.assertIn(b"eddy_ready 1\n", reply.read())

    def test_a_client_of_another_cluster_is_refused_by_name(self):
        cluster, node = self.one_node()
        ended = node.ctl("get", "k", "--cluster", "orders")
        self.assertEqual(ended.returncode, REFUSED, ended)
        self.assertIn(b"'test'", ended.stderr)
        self.assertIn(b"'orders'", ended.stderr)
        del cluster

    def test_a_node_of_another_cluster_is_refused_and_both_say_so(self):
        cluster = self.start(nodes=2)
        n1, n2 = cluster.nodes
        self.assertEqual(n2.stop(), harness.STOPPED)
        n2.directory += ".other"
        n2.process = cluster.spawn("--cluster", "other", "--name", "n2", "--seeds", cluster.seeds,
                                   "--data-dir", n2.directory, log=n2.log_path)
        for node in (n1, n2):
            harness.wait_until(lambda node=node: "'other'" in log_texts(node) and "'test'" in log_texts(node),
                               "%s to name both clusters" % node.name)
        reachable = {member["name"]: member["reachable"] for member in self.status(n1)["members"]}
        self.assertEqual(reachable, {"n1": True, "n2": False})

    def test_a_node_of_a_cluster_that_was_founded_apart_is_refused(self):
        cluster = self.start(nodes=2)
        n1, n2 = cluster.nodes
        self.assertEqual(n2.stop(), harness.STOPPED)
        directory, n2.directory = n2.directory, n2.directory + ".apart"
        apart = ("--cluster", "test", "--name", "n2", "--data-dir", n2.directory)
        n2.process = cluster.spawn(*apart, "--host", n2.address, log=n2.log_path)
        n2.wait_ready()
        self.assertEqual(n2.stop(), harness.STOPPED)
        n2.process = cluster.spawn(*apart, "--seeds", cluster.seeds, log=n2.log_path)
        harness.wait_until(lambda: "founded apart" in n1.log() + n2.log(), "the difference to be named")
        self.assertEqual(n2.stop(), harness.STOPPED)
        n2.directory = directory
        n2.restart()


class HostileBytesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(nodes=1)
        cls.addClassCleanup(cls.cluster.close)
        cls.node = cls.cluster.nodes[0]
        # Deterministic bytes: a failure shows again.
        cls.random = random.Random(20)

    def connect(self, port):
        connection = socket.create_connection((self.node.address, port), timeout=10)
        self.addCleanup(connection.close)
        return connection

    def talk(self, port, data):
        """Sends the bytes and takes what comes back until the node closes or has nothing to say."""
        with socket.create_connection((self.node.address, port), timeout=10) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except (ConnectionError, socket.timeout):
                pass

    def assert_serves(self):
        self.assertTrue(self.node.is_ready())
        self.assertEqual(self.node.put("alive", "yes"), OK)
        with self.node.resp() as client:
            self.assertEqual(client.ask("PING"), b"PONG")

    def test_garbage_on_every_door(self):
        for port in (NATIVE, RESP, HTTP):
            for size in (1, 7, 8, 15, 16, 17, 100, 5000, 100000):
                self.talk(port, self.random.randbytes(size))
        self.assert_serves()

    def test_huge_lengths_on_every_door(self):
        for data in (b"\xff" * 16, b"\x00\x00\x00\x7f\x02\x00\x00\x00" + b"\x00" * 8, b"\xff\xff\xff\xff" + b"\x01\x00\x00\x00"):
            self.talk(NATIVE, data)
        for data in (b"*2147483647\r\n", b"*1\r\n$2147483647\r\n", b"$-99\r\n", b"*-5\r\n", b"*1\r\n$9999999999999999999\r\n"):
            self.talk(RESP, data)
        self.talk(HTTP, b"GET / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n")
        self.talk(HTTP, b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n")
        self.assert_serves()

    def test_a_crowd_that_begins_and_never_ends(self):
        crowd = []
        for port, begin in ((NATIVE, b"\x10"), (RESP, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc"), (HTTP, b"GET /")):
            for _ in range(150):
                crowd.append(self.connect(port))
                crowd[-1].sendall(begin)
        self.assert_serves()


if __name__ == "__main__":
    unittest.main(verbosity=2)
