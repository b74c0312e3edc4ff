"""One memory limit for a node, and clients that ask for far more at once than it has room for: they are slowed down or told
to come again, what is acknowledged is there, and the process keeps to its limit."""

import threading
import unittest
import urllib.request

import harness

LIMIT_MIB = 80
CLIENTS = 40
DEPTH = 20
VALUE_BYTES = 100_000  # 80 MB at once


def figures(node):
    """The metrics without labels, and those of the memory of requests."""
    with urllib.request.urlopen("http://%s:%d/metrics" % (node.address, harness.HTTP), timeout=30) as reply:
        lines = [line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def peak_mib(node):
    with open("/proc/%d/status" % node.process.pid, encoding="ascii") as status:
        peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


class MemoryTest(unittest.TestCase):
    def key(self, client, i):
        return "k%d-%d" % (client, i)

    def pipeline(self, node, client, done, values):
        """Writes, and then reads, DEPTH keys without waiting for a reply in between; notes the acknowledged writes."""
        with node.resp() as resp:
            def send():
                for i in range(DEPTH):
                    resp.send("SET", self.key(client, i), values[client])
                for i in range(DEPTH):
                    resp.send("GET", self.key(client, i))
            sender = threading.Thread(target=send)
            sender.start()
            for i in range(DEPTH):
                try:
                    if resp.receive() == b"OK":
                        done.add(self.key(client, i))
                except harness.RespError as error:
                    self.refusals.add(str(error).split(":")[0])
            for i in range(DEPTH):
                try:
                    found = resp.receive()
                    if self.key(client, i) in done:
                        self.assertEqual(found, values[client])
                except harness.RespError as error:
                    self.refusals.add(str(error).split(":")[0])
            sender.join()

    def request_memory(self, node):
        now = figures(node)
        return sum(now['eddy_request_memory_bytes{of="%s"}' % of] for of in ("taken", "under_way"))

    def test_clients_that_want_more_than_there_is_wait_and_lose_nothing(self):
        self.refusals = set()
        failures = []
        with harness.Cluster(1, flags=("--memory-limit", "%dMiB" % LIMIT_MIB, "--durability", "os")) as cluster:
            node = cluster.nodes[0]
            values = [bytes([65 + client % 26]) * VALUE_BYTES for client in range(CLIENTS)]
            done = set()

            def run(client):
                try:
                    self.pipeline(node, client, done, values)
                except BaseException as failure:  # shown by the test's own thread
                    failures.append(failure)

            # One that asks for much and takes none of it.
            with node.resp() as deaf:
                deaf.ask("SET", "large", b"x" * 1_000_000)
                for _ in range(100):
                    deaf.send("GET", "large")
                clients = [threading.Thread(target=run, args=(client,)) for client in range(CLIENTS)]
                for client in clients:
                    client.start()
                for client in clients:
                    client.join()
            self.assertEqual(failures, [])
            self.assertGreater(len(done), CLIENTS * DEPTH // 10)
            with node.resp() as resp:
                for client in range(CLIENTS):
                    for i in range(DEPTH):
                        if self.key(client, i) in done:
                            self.assertEqual(resp.ask("GET", self.key(client, i)), values[client])
            # Not a byte for byte bound: the allocator keeps some of what was freed, and files are mapped.
            self.assertLess(peak_mib(node), 2 * LIMIT_MIB)
            harness.wait_until(lambda: self.request_memory(node) < 64 * 1024, "what requests held to be given back")
            self.assertEqual(figures(node)["eddy_requests_parked"], 0)
            self.assertEqual(node.stop(), harness.STOPPED)

    def test_a_limit_that_is_too_small_is_refused_with_one_that_is_not(self):
        with harness.Cluster(1, start=False, flags=("--memory-limit", "32MiB")) as cluster:
            node = cluster.nodes[0]
            node.start()
            self.assertEqual(node.end(), harness.BAD_CONFIG)
            self.assertIn("memory_limit is 32 MiB, and must be 67 MiB at least", node.log())


if __name__ == "__main__":
    unittest.main()
