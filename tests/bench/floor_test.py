"""The bare quorum store stores: what it is measured with is work that was done."""

import os
import random
import socket
import struct
import subprocess
import tempfile
import unittest

FLOOR = os.path.join(os.environ["EDDY_BIN"], "eddy-floor")
PUT, GET, DONE, VALUE = 2, 3, 4, 5
HEADER = struct.Struct("=IBBHI")
SECONDS = 30


class Client:
    def __init__(self, address):
        self.socket = socket.create_connection(address, SECONDS)
        self.input = self.socket.makefile("rb")

    def send(self, verb, number, key, value=b""):
        self.socket.sendall(HEADER.pack(HEADER.size - 4 + len(key) + len(value), verb, 0, len(key), number) + key + value)

    def receive(self):
        size, verb, _, key_bytes, number = HEADER.unpack(self.input.read(HEADER.size))
        return verb, number, self.input.read(size - HEADER.size + 4)[key_bytes:]

    def close(self):
        self.input.close()
        self.socket.close()


class Floor(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        network = "127.%d.%d" % (random.randrange(20, 220), random.randrange(1, 250))
        self.hosts = ["%s.%d" % (network, k) for k in (1, 2, 3)]
        self.nodes = []

    def start(self, k, durability="os"):
        node = subprocess.Popen([FLOOR, str(k), "7500", *self.hosts, os.path.join(self.folder, "f%d" % k), durability],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(node.stdout.close)
        self.addCleanup(node.wait)
        self.addCleanup(node.kill)
        self.assertEqual(node.stdout.readline(), "listening\n")
        self.nodes.append(node)

    def start_all(self, durability="os"):
        for k in (1, 2, 3):
            self.start(k, durability)
        for node in self.nodes:
            self.assertEqual(node.stdout.readline(), "ready\n")

    def client(self, k):
        client = Client((self.hosts[k - 1], 7500))
        self.addCleanup(client.close)
        return client

    def test_what_was_put_last_is_found_through_every_node(self):
        for durability in ("os", "sync"):
            with self.subTest(durability):
                self.setUp()
                self.start_all(durability)
                writer = self.client(1)
                for number in range(1000):
                    writer.send(PUT, number, b"key %d" % (number % 100), b"value %d" % number)
                self.assertEqual(sorted(writer.receive()[:2] for _ in range(1000)), [(DONE, n) for n in range(1000)])
                for k in (1, 2, 3):
                    reader = self.client(k)
                    for number in range(100):
                        reader.send(GET, number, b"key %d" % number)
                    self.assertEqual(sorted(reader.receive() for _ in range(100)),
                                     [(VALUE, n, b"value %d" % (900 + n)) for n in range(100)])

    def test_what_was_never_put_is_empty(self):
        self.start_all()
        client = self.client(2)
        client.send(GET, 7, b"nothing")
        self.assertEqual(client.receive(), (VALUE, 7, b""))

    def test_a_large_value_comes_back_whole(self):
        self.start_all()
        client = self.client(3)
        value = os.urandom(1 << 20)
        client.send(PUT, 1, b"large", value)
        self.assertEqual(client.receive(), (DONE, 1, b""))
        client.send(GET, 2, b"large")
        self.assertEqual(client.receive(), (VALUE, 2, value))

    def test_a_client_that_leaves_with_requests_under_way_harms_nobody(self):
        self.start_all()
        for _ in range(20):
            leaver = self.client(1)
            for number in range(100):
                leaver.send(PUT, number, b"key", b"value")
            leaver.close()
        client = self.client(1)
        client.send(GET, 1, b"key")
        self.assertEqual(client.receive(), (VALUE, 1, b"value"))

    def test_nobody_is_served_before_the_peers_are_there(self):
        self.start(1)
        client = self.client(1)
        client.send(GET, 1, b"key")
        self.assertEqual(client.input.read(), b"")

    def test_what_is_no_frame_closes_the_connection(self):
        self.start_all()
        client = self.client(1)
        try:
            # Says that it is too long, which nobody reads to the end.
            client.socket.sendall(b"\xff" * (40 << 20))
            self.assertEqual(client.input.read(), b"")
        except (ConnectionResetError, BrokenPipeError):
            pass
        other = self.client(1)
        other.send(GET, 1, b"key")
        self.assertEqual(other.receive(), (VALUE, 1, b""))


if __name__ == "__main__":
    unittest.main()
