"""Real eddyd processes for tests: nodes on loopback addresses of their own (so suites can run side by side) in a folder
that goes with them. Waiting is polling with a bounded deadline; only processes started here are ended, and all of them."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

BIN = os.environ["EDDY_BIN"]
EDDYD = os.path.join(BIN, "eddyd")
EDDYCTL = os.path.join(BIN, "eddyctl")

NATIVE, PEER, RESP, HTTP = 7400, 7401, 7379, 7480
PORTS = (NATIVE, PEER, RESP, HTTP)

# eddyd's exit codes, and eddyctl's.
STOPPED, FAILED, BAD_CONFIG, NO_DOOR, NO_DIRECTORY = range(5)
OK, _, USAGE, NOT_FOUND, NOT_DONE, UNKNOWN, SIBLINGS, PARTIAL, UNHEALTHY, REFUSED = range(10)

READY_SECONDS = 60
END_SECONDS = 30


def free_network(nodes):
    """The first three numbers of loopback addresses on which nobody has the doors' usual ports."""
    while True:
        network = "127.%d.%d" % (random.randrange(20, 220), random.randrange(1, 255))
        sockets = []
        try:
            for k in range(1, nodes + 1):
                for port in PORTS:
                    sockets.append(socket.socket())
                    sockets[-1].bind(("%s.%d" % (network, k), port))
            return network
        except OSError:
            pass
        finally:
            for bound in sockets:
                bound.close()


def wait_until(condition, what, seconds=END_SECONDS, every=0.02):
    """Polls until the condition gives something true, and gives that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s in vain for %s" % (seconds, what))
        time.sleep(every)  # poll


def daemon_environment(**settings):
    """The environment for an eddyd, in which EDDY_ variables are settings: those of the tests are not for it."""
    return {**{name: text for name, text in os.environ.items() if not name.startswith("EDDY_")}, **settings}


def may_mount():
    """Whether a test may mount a small disk that nobody else sees."""
    probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return shutil.which("unshare") and subprocess.run(probe, capture_output=True, timeout=20).returncode == 0


class Node:
    """One eddyd: its address, its files, and its process while it runs."""

    def __init__(self, cluster, k):
        self.cluster = cluster
        self.name = "n%d" % k
        self.address = "%s.%d" % (cluster.network, k)
        self.directory = os.path.join(cluster.folder, self.name)
        self.log_path = os.path.join(cluster.folder, self.name + ".log")
        self.process = None
        self.flags = ()
        self.environment = {}  # settings

    def start(self, *flags):
        self.process = self.cluster.spawn(
            "--cluster", self.cluster.name, "--name", self.name, "--seeds", self.cluster.seeds,
            "--data-dir", self.directory, *self.flags, *self.cluster.flags, *flags, log=self.log_path,
            settings=self.environment)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended with code %d:\n%s" % (self.name, self.process.returncode, self.log()))
        try:
            with urllib.request.urlopen("http://%s:%d/readyz" % (self.address, HTTP), timeout=5):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False

    def wait_ready(self):
        wait_until(self.is_ready, "%s to be ready" % self.name, READY_SECONDS)

    def restart(self):
        self.start()
        self.wait_ready()

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def cpu_seconds(self):
        """Of all its threads, in user mode and in the kernel."""
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """Waits for the process to end and gives its exit code."""
        return self.process.wait(END_SECONDS)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.end()

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.end()

    def ctl(self, *words, stdin=b"", seconds=60):
        """eddyctl asking this node alone; the ended process."""
        return subprocess.run([EDDYCTL, words[0], "--node", self.address, *words[1:]], input=stdin,
                              capture_output=True, timeout=seconds)

    def put(self, key, value, *flags):
        return self.ctl("put", *flags, "--", key, value).returncode

    def get(self, key, *flags):
        """The value, or None where nothing is stored; anything else fails."""
        ended = self.ctl("get", *flags, "--", key)
        if ended.returncode == NOT_FOUND:
            return None
        if ended.returncode != OK:
            raise AssertionError("get %s from %s: %s" % (key, self.name, ended))
        return ended.stdout.decode()

    def resp(self):
        return RespClient(self.address)


class Cluster:
    """Nodes n1 to nN, started and ready; a context manager that ends them and removes their folder."""

    def __init__(self, nodes=3, flags=(), start=True, addresses=0):
        """`addresses`: how many nodes there may be in the end."""
        self.name = "test"
        self.flags = flags
        self.folder = tempfile.mkdtemp(prefix="eddy-cluster-")
        self.network = free_network(max(nodes, addresses))
        self.processes = []
        self.addresses = max(nodes, addresses)
        self.seeds = ",".join("n%d@%s.%d:%d/z%d" % (k, self.network, k, PEER, k) for k in range(1, nodes + 1))
        self.nodes = [Node(self, k) for k in range(1, nodes + 1)]
        if not start:
            return
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()

    def add(self):
        """One more node, which is none of the seeds; not started."""
        assert len(self.nodes) < self.addresses
        self.nodes.append(Node(self, len(self.nodes) + 1))
        node = self.nodes[-1]
        node.flags = ("--host", node.address, "--zone", "z%d" % len(self.nodes))
        return node

    def spawn(self, *flags, log, settings=None):
        with open(log, "ab") as file:
            process = subprocess.Popen([EDDYD, *flags], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                       env=daemon_environment(**(settings or {})))
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self.processes:
            process.wait(END_SECONDS)
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RespError(Exception):
    """An error reply."""


class RespClient:
    """Just enough of RESP2 to pipeline commands to one node."""

    def __init__(self, address, port=RESP):
        self.socket = socket.create_connection((address, port), timeout=30)
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))

    def receive(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the node has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RespError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.receive() for _ in range(int(rest))]
        raise AssertionError("no RESP2 reply: %r" % line)

    def ask(self, *words):
        self.send(*words)
        return self.receive()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
