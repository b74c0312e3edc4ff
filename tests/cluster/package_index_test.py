"""The Debian package index of this machine, stored by a cluster of three of which one node is killed half-way: every
record that was acknowledged is read back byte for byte, through the native door and through RESP, from each node."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import redis

from harness import daemon_environment

BIN = os.environ["EDDY_BIN"]
EDDYCTL = os.path.join(BIN, "eddyctl")
sys.path.insert(0, os.path.join(os.environ["EDDY_ROOT"], "tools"))

import package_index  # noqa: E402

# Both doors see the bucket that holds the keys of Redis clients.
BUCKET = "redis"


def free_network():
    """The first three numbers of loopback addresses on which nobody has the doors' usual ports."""
    while True:
        network = "127.%d.%d" % (random.randrange(20, 220), random.randrange(1, 255))
        sockets = []
        try:
            for k in (1, 2, 3):
                for port in (7400, 7401, 7379, 7480):
                    sockets.append(socket.socket())
                    sockets[-1].bind(("%s.%d" % (network, k), port))
            return network
        except OSError:
            pass
        finally:
            for bound in sockets:
                bound.close()


class Cluster:
    """Three nodes with the default N=3 and majorities, in a folder that goes with them."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="eddy-packages-")
        self.network = free_network()
        self.processes = {}
        for k in (1, 2, 3):
            self.start(k)
        for k in (1, 2, 3):
            self.wait_ready(k)

    def address(self, k):
        return "%s.%d" % (self.network, k)

    def start(self, k):
        seeds = ",".join("n%d@%s:7401/z%d" % (i, self.address(i), i) for i in (1, 2, 3))
        with open(os.path.join(self.folder, "n%d.log" % k), "ab") as log:
            self.processes[k] = subprocess.Popen(
                [os.path.join(BIN, "eddyd"), "--cluster", "packages", "--name", "n%d" % k, "--seeds", seeds,
                 "--data-dir", os.path.join(self.folder, "n%d" % k)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=daemon_environment())

    def wait_ready(self, k):
        deadline = time.monotonic() + 60
        while subprocess.run([EDDYCTL, "health", "--node", self.address(k)], capture_output=True).returncode != 0:
            if time.monotonic() > deadline or self.processes[k].poll() is not None:
                with open(os.path.join(self.folder, "n%d.log" % k), encoding="utf-8") as log:
                    raise RuntimeError("n%d is not ready:\n%s" % (k, log.read()[-4000:]))
            time.sleep(0.05)  # poll

    def kill(self, k):
        self.processes[k].send_signal(signal.SIGKILL)
        self.processes[k].wait(30)

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)
        shutil.rmtree(self.folder)


class PackageIndexTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.stop)
        self.packages = package_index.packages()
        # Also a machine without apt's lists has as many packages installed.
        self.assertGreater(len(self.packages), 100)
        self.lines = [package_index.line(BUCKET, name, stanza).encode() + b"\n" for name, stanza in self.packages.items()]

    def path(self, name):
        return os.path.join(self.cluster.folder, name)

    def load_and_kill_one_half_way(self):
        """Gives how many lines were acknowledged; those that were not are in the file 'errors'."""
        with subprocess.Popen([EDDYCTL, "import", "-", "--errors", self.path("errors"), "--json",
                               "--node", ",".join(self.cluster.address(k) for k in (1, 2, 3))],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            half = len(self.lines) // 2
            process.stdin.writelines(self.lines[:half])
            process.stdin.flush()
            self.cluster.kill(3)
            process.stdin.writelines(self.lines[half:])
            process.stdin.close()
            report = json.loads(process.stdout.read())
        self.assertTrue(report["complete"], report)
        return report["stored"]

    def export(self, *options):
        with subprocess.Popen([EDDYCTL, "export", "--quiet", "--bucket", BUCKET, *options], stdout=subprocess.PIPE) as process:
            entries = (json.loads(line) for line in process.stdout)
            read = {entry["key"].encode(): entry["value"].encode() for entry in entries}
        self.assertEqual(process.returncode, 0)
        return read

    def read_natively(self, k):
        """Everything, as node k alone gives it."""
        return self.export("--keys", self.path("keys"), "--direct", "--node", self.cluster.address(k))

    def read_by_resp(self, k):
        client = redis.Redis(self.cluster.address(k), 7379, socket_timeout=30)
        names = list(self.packages)
        read = {}
        for i in range(0, len(names), 500):
            some = names[i:i + 500]
            read.update(zip(some, client.mget(some)))
        client.close()
        return read

    def test_every_acknowledged_record_is_read_back_from_every_node(self):
        stored = self.load_and_kill_one_half_way()
        with open(self.path("errors"), "rb") as errors:
            not_acknowledged = {json.loads(line)["key"].encode() for line in errors}
        self.assertEqual(stored + len(not_acknowledged), len(self.packages))
        # Two of three replicas were there all the time: what was on its way to the killed node was sent again.
        self.assertEqual(not_acknowledged, set())

        self.cluster.start(3)
        self.cluster.wait_ready(3)
        with open(self.path("keys"), "wb") as keys:
            keys.writelines(self.lines)
        for k in (1, 2, 3):
            for door, read in (("native", self.read_natively), ("RESP", self.read_by_resp)):
                found = read(k)
                wrong = [name for name, stanza in self.packages.items() if found.get(name) != stanza]
                self.assertEqual(wrong[:10], [], "through the %s door of n%d" % (door, k))
        # And without being told the keys: the lists of the three nodes, merged.
        self.assertEqual(self.export("--node", self.cluster.address(3)), self.packages)


if __name__ == "__main__":
    unittest.main(verbosity=2)
