"""Redis clients of all kinds against three real nodes: any node, pipelines, cluster routing, a node that dies."""

import logging
import os
import re
import subprocess
import threading
import unittest

import redis
from redis.cluster import ClusterNode, RedisCluster

import harness
from harness import RESP, Cluster

ROOT = os.environ["EDDY_ROOT"]

# The cluster client tells of every connection that a dying node breaks.
logging.getLogger("redis").setLevel(logging.CRITICAL)


class RespClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # What counts here are the clients, not the disk.
        cls.cluster = Cluster(flags=("--durability", "os"))
        cls.addClassCleanup(cls.cluster.close)

    def client(self, k, **options):
        client = redis.Redis(self.cluster.nodes[k].address, RESP, socket_timeout=30, **options)
        self.addCleanup(client.close)
        return client

    def cluster_client(self):
        nodes = [ClusterNode(node.address, RESP) for node in self.cluster.nodes]
        client = RedisCluster(startup_nodes=nodes, socket_timeout=30, cluster_error_retry_attempts=10)
        self.addCleanup(client.close)
        return client

    def run_tool(self, tool, k, *words):
        ended = subprocess.run([tool, "-h", self.cluster.nodes[k].address, "-p", str(RESP), *words],
                               capture_output=True, text=True, timeout=120)
        self.assertEqual(ended.returncode, 0, ended)
        return ended.stdout

    def cli(self, k, *words):
        return self.run_tool("redis-cli", k, *words).rstrip("\n")

    def test_redis_cli_talks_to_any_node(self):
        self.assertEqual(self.cli(0, "SET", "cli", "hello, ring"), "OK")
        for k in range(3):
            self.assertEqual(self.cli(k, "GET", "cli"), "hello, ring")
            self.assertEqual(self.cli(k, "-3", "GET", "cli"), "hello, ring")
            self.assertEqual(self.cli(k, "-c", "GET", "cli"), "hello, ring")
        self.assertIn("not supported: there are no users", self.cli(0, "AUTH", "secret"))

    def test_redis_cli_finds_the_cluster_sound(self):
        ended = subprocess.run(["redis-cli", "--cluster", "check", "%s:%d" % (self.cluster.nodes[1].address, RESP)],
                               capture_output=True, text=True, timeout=60)
        self.assertEqual(ended.returncode, 0, ended)
        self.assertIn("All 16384 slots covered", ended.stdout)
        self.assertIn("All nodes agree about slots configuration", ended.stdout)

    def test_redis_benchmark_runs_plain_and_as_a_cluster_client(self):
        for words in (["-P", "16"], ["--cluster", "-P", "16"], ["--cluster", "-r", "1000"]):
            csv = self.run_tool("redis-benchmark", 0, "-t", "set,get", "-n", "2000", "-d", "100", "--csv", *words)
            for test in ("SET", "GET"):
                self.assertRegex(csv, r'"%s","[0-9.]+"' % test)

    def test_every_command_is_documented_and_described(self):
        with open(os.path.join(ROOT, "docs", "RESP.md"), encoding="utf-8") as file:
            documented = set(re.findall(r"[A-Z][A-Z.-]+", file.read()))
        with self.cluster.nodes[0].resp() as client:
            names = [name.decode() for name in client.ask("COMMAND", "LIST")]
            self.assertGreater(len(names), 40)
            for name in names:
                self.assertIn(name.upper(), documented)
                entry = client.ask("COMMAND", "INFO", name)[0]
                for subcommand in entry[9]:
                    self.assertIn(subcommand[0].decode().split("|")[1].upper(), documented)

    def test_python_pipelines_act_in_order(self):
        client = self.client(1)
        pipeline = client.pipeline(transaction=False)
        for i in range(500):
            key = "pipe%d" % i
            pipeline.set(key, "a").append(key, "b").get(key).expire(key, 100).ttl(key).delete(key).get(key)
        self.assertEqual(pipeline.execute(), [True, 2, b"ab", True, 100, 1, None] * 500)

    def test_python_is_told_why_a_transaction_is_refused_and_nothing_of_it_is_done(self):
        client = self.client(0)
        with self.assertRaisesRegex(redis.ResponseError, "MULTI is not supported.*transaction=False"):
            client.pipeline().set("transaction", 1).execute()
        self.assertIsNone(client.get("transaction"))

    def test_python_sees_values_expire_on_every_node(self):
        self.client(0).set("brief", "x", px=300)
        for k in range(3):
            client = self.client(k)
            harness.wait_until(lambda: client.get("brief") is None, "the value to expire")
            self.assertEqual(client.ttl("brief"), -2)

    def test_python_resolves_siblings_with_contexts(self):
        one, other = self.client(0), self.client(2)
        one.execute_command("EDDY.PUT", "carts", "ann", "apples")
        other.execute_command("EDDY.PUT", "carts", "ann", "pears")
        context, siblings = one.execute_command("EDDY.GET", "carts", "ann")
        self.assertEqual(sorted(siblings), [b"apples", b"pears"])
        other.execute_command("EDDY.PUT", "carts", "ann", "both", "CONTEXT", context)
        self.assertEqual(one.execute_command("EDDY.GET", "carts", "ann")[1], [b"both"])
        # The old context has not seen what replaced it.
        self.assertEqual(one.execute_command("EDDY.DEL", "carts", "ann", "CONTEXT", context), b"OK")
        context, siblings = other.execute_command("EDDY.GET", "carts", "ann")
        self.assertEqual(siblings, [b"both"])
        other.execute_command("EDDY.DEL", "carts", "ann", "CONTEXT", context)
        self.assertEqual(one.execute_command("EDDY.GET", "carts", "ann")[1], [])
        with self.assertRaisesRegex(redis.ResponseError, "context"):
            one.execute_command("EDDY.PUT", "carts", "bob", "x", "CONTEXT", context)

    def test_wait_counts_the_replicas_of_the_last_write(self):
        client = self.client(0, single_connection_client=True)
        client.execute_command("EDDY.PUT", "redis", "waited", "x", "W", "3", "TIMEOUT", 30000)
        self.assertEqual(client.execute_command("WAIT", 2, 100), 2)

    def test_the_largest_value_fits_and_a_larger_one_is_refused(self):
        # On a busy machine so many bytes take longer than the default deadline.
        patience = ("TIMEOUT", 30000)
        largest = os.urandom(16 << 20)
        self.client(0).execute_command("EDDY.PUT", "redis", "large", largest, *patience)
        _, siblings = self.client(2).execute_command("EDDY.GET", "redis", "large", *patience)
        self.assertEqual(siblings, [largest])
        self.client(0).execute_command("EDDY.DEL", "redis", "large", *patience)
        with self.cluster.nodes[0].resp() as raw:
            raw.socket.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % ((16 << 20) + 1))
            with self.assertRaisesRegex(harness.RespError, "invalid bulk length: 16777217 bytes, the limit is"):
                raw.receive()

    def test_python_cluster_client_reads_what_it_wrote_while_a_node_dies_and_returns(self):
        client = self.cluster_client()
        dying = self.cluster.nodes[2]
        killer = threading.Thread(target=dying.kill)
        self.addCleanup(lambda: dying.process.poll() is None or dying.restart())
        for i in range(3000):
            if i == 1000:
                killer.start()
            client.set("routed%d" % i, i)
        killer.join()
        for i in range(0, 3000, 7):
            self.assertEqual(client.get("routed%d" % i), b"%d" % i)
        nodes = [line for line in self.cli(0, "CLUSTER", "NODES").splitlines() if dying.address + ":" in line]
        self.assertIn("fail", nodes[0])
        self.assertNotIn(dying.address, self.cli(0, "CLUSTER", "SLOTS"))

        dying.restart()
        plain = self.client(2)
        for i in range(0, 3000, 7):
            self.assertEqual(plain.get("routed%d" % i), b"%d" % i)
        harness.wait_until(lambda: dying.address in self.cli(0, "CLUSTER", "SLOTS"), "n3 to be offered again")


if __name__ == "__main__":
    unittest.main()
