"""Keys over HTTP, with curl, against a real cluster: what docs/HTTP.md promises."""

import base64
import json
import os
import re
import socket
import subprocess
import unittest

import harness
from harness import HTTP, Cluster


class Reply:
    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.body = body

    @property
    def context(self):
        return self.headers["x-eddy-context"]

    def json(self):
        return json.loads(self.body)


class HttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.n1, cls.n2, cls.n3 = cls.cluster.nodes

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def curl(self, node, target, *flags, stdin=b""):
        ended = subprocess.run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", "30", *flags,
                                "http://%s:%d%s" % (node.address, HTTP, target)], input=stdin, capture_output=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        head, _, body = ended.stdout.partition(b"\r\n\r\n")
        while head.split(b"\r\n")[0].endswith(b"100 Continue"):
            head, _, body = body.partition(b"\r\n\r\n")
        return Reply(head, body)

    def put(self, node, target, value, context=None, *flags):
        header = ("-H", "X-Eddy-Context: " + context) if context else ()
        return self.curl(node, target, "-T", "-", *header, *flags, stdin=value)

    def stored(self, reply):
        self.assertEqual((reply.status, reply.body), (204, b""))

    def test_a_value_goes_in_at_one_node_and_comes_out_at_another_byte_for_byte(self):
        value = bytes(range(256)) * 10
        self.stored(self.put(self.n1, "/kv/http/bytes", value))
        got = self.curl(self.n2, "/kv/http/bytes?r=2")
        self.assertEqual((got.status, got.body), (200, value))
        self.assertEqual(got.headers["content-type"], "application/octet-stream")
        head = self.curl(self.n2, "/kv/http/bytes", "--head")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["content-length"], "2560")

    def test_keys_are_bytes(self):
        for key, path in (("a b/c?d%e", "a%20b/c%3Fd%25e"), ("grüß", "gr%C3%BC%C3%9F"), ("%", "%25"), ("+", "+")):
            self.stored(self.put(self.n1, "/kv/http/" + path, key.encode()))
            self.assertEqual(self.n2.get(key, "--bucket", "http"), key)
        self.assertEqual(self.curl(self.n1, "/kv/http/a%20b%2Fc%3Fd%25e").body, b"a b/c?d%e")

    def test_two_who_do_not_know_of_each_other_make_siblings_and_a_context_settles_them(self):
        self.put(self.n1, "/kv/http/cart", b"apples")
        self.put(self.n2, "/kv/http/cart", b"\xff pears")
        got = self.curl(self.n3, "/kv/http/cart")
        self.assertEqual(got.status, 409)
        self.assertEqual(got.json()["error"]["code"], "siblings")
        self.assertEqual(sorted(each.get("value", each.get("value_base64")) for each in got.json()["siblings"]),
                         sorted(["apples", base64.b64encode(b"\xff pears").decode()]))
        everything = self.curl(self.n3, "/kv/http/cart?all=true")
        self.assertEqual((everything.status, len(everything.json()["siblings"])), (200, 2))
        self.assertEqual(everything.json()["context"], everything.context)
        self.stored(self.put(self.n1, "/kv/http/cart", b"both", got.context))
        settled = self.curl(self.n2, "/kv/http/cart")
        self.assertEqual((settled.status, settled.body), (200, b"both"))
        # Who writes with what was seen before stands beside it and replaces nothing.
        self.put(self.n3, "/kv/http/cart", b"late", got.context)
        self.assertEqual(self.curl(self.n2, "/kv/http/cart").status, 409)
        # The same context as the native protocol's.
        shown = json.loads(self.n1.ctl("get", "cart", "--bucket", "http", "--all", "--json").stdout)
        self.assertEqual(self.curl(self.n1, "/kv/http/cart", "-X", "DELETE", "-H",
                                   "X-Eddy-Context: " + shown["context"]).status, 204)
        gone = self.curl(self.n2, "/kv/http/cart")
        self.assertEqual((gone.status, gone.json()["siblings"]), (404, []))
        self.assertIn("x-eddy-context", gone.headers)

    def test_the_metrics_are_as_prometheus_wants_them(self):
        metrics = self.curl(self.n1, "/metrics")
        self.assertEqual(metrics.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertIn(b'eddy_peer_reachable{peer="n2",zone="z2"} 1', metrics.body)
        self.assertRegex(metrics.body, rb'eddy_table_entries_limit\{table="operations"\} [1-9]')
        checked = subprocess.run(["promtool", "check", "metrics"], input=metrics.body, capture_output=True)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))
        # It can fail.
        wrong = subprocess.run(["promtool", "check", "metrics"], input=b"eddy_gets_total 1\n" * 2, capture_output=True)
        self.assertNotEqual(wrong.returncode, 0)

    def test_the_metrics_count_each_request_by_what_it_was_and_how_it_ended(self):
        def count(operation, result):
            text = self.curl(self.n1, "/metrics").body.decode()
            name = 'eddy_request_seconds_%%s{operation="%s",result="%s"%%s} ' % (operation, result)
            values = {what: float(re.search(re.escape(name % (what, label)) + r"(\S+)", text).group(1))
                      for what, label in (("count", ""), ("sum", ""), ("bucket", ',le="+Inf"'))}
            self.assertEqual(values["count"], values["bucket"])
            return values

        before = {each: count(*each) for each in (("put", "ok"), ("get", "ok"), ("get", "refused"))}
        self.stored(self.put(self.n1, "/kv/http/counted", b"v"))
        self.assertEqual(self.curl(self.n1, "/kv/http/counted").status, 200)
        self.assertEqual(self.curl(self.n1, "/kv/http/counted?n=9").status, 400)
        for each, values in before.items():
            now = count(*each)
            self.assertEqual(now["count"], values["count"] + 1, each)
            self.assertGreaterEqual(now["sum"], values["sum"])
        self.assertGreater(count("put", "ok")["sum"], before["put", "ok"]["sum"])

    def test_a_value_expires(self):
        self.stored(self.put(self.n1, "/kv/http/brief?ttl=300ms", b"v"))
        harness.wait_until(lambda: self.curl(self.n2, "/kv/http/brief").status == 404, "the value to expire")
        self.put(self.n1, "/kv/http/long?ttl=1h", b"v")
        self.assertGreater(int(self.curl(self.n2, "/kv/http/long").headers["x-eddy-expires-at-ms"]), 1.7e12)

    def test_a_large_value_and_one_too_large(self):
        value = os.urandom(16 * 1024 * 1024)
        self.stored(self.put(self.n1, "/kv/http/large?timeout=20s", value))
        self.assertEqual(self.curl(self.n2, "/kv/http/large?timeout=20s").body, value)
        refused = self.put(self.n1, "/kv/http/larger", value + b"x")
        self.assertEqual(refused.status, 413)
        self.assertIn(b"value_bytes_max", refused.body)
        self.assertEqual(self.curl(self.n1, "/kv/http/larger").status, 404)

    def test_mistakes_change_nothing(self):
        self.put(self.n1, "/kv/http/kept", b"kept")
        for target, flags, status in (("/kv/http/kept?w=9", ("-T", "-"), 400),
                                      ("/kv/http/kept?n=2", ("-T", "-"), 400),
                                      ("/kv/http/kept?tll=1s", ("-T", "-"), 400),
                                      ("/kv/http/kept", ("-T", "-", "-H", "X-Eddy-Context: AAAA"), 400),
                                      ("/kv/http/kept", ("-T", "-", "-H", "If-None-Match: *"), 501),
                                      ("/kv/http/kept?r=1", ("-X", "DELETE"), 400),
                                      ("/kv/http/kept", ("-X", "PATCH", "-d", "x"), 405),
                                      ("/kv/http/kept?timeout=25h", ("-T", "-"), 400),
                                      ("/kv/http", ("-T", "-"), 400)):
            reply = self.curl(self.n1, target, *flags, stdin=b"changed")
            self.assertEqual(reply.status, status, (target, reply.body))
            self.assertTrue(reply.json()["error"]["text"], target)
        # The context of another key.
        other = self.put(self.n1, "/kv/http/other", b"v")
        self.assertEqual(self.put(self.n1, "/kv/http/kept", b"changed", other.context).status, 400)
        self.assertEqual(self.curl(self.n2, "/kv/http/kept").body, b"kept")

    def test_half_a_request_stores_nothing(self):
        with socket.create_connection((self.n1.address, HTTP), timeout=30) as client:
            client.sendall(b"PUT /kv/http/half HTTP/1.1\r\nHost: n1\r\nContent-Length: 10\r\n\r\nhalf")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(100), b"")
        self.assertEqual(self.curl(self.n1, "/kv/http/half").status, 404)

    def test_too_few_replicas_are_a_503_for_writes_and_reads_go_on_as_asked(self):
        with Cluster(3) as cluster:
            n1, n2, n3 = cluster.nodes
            self.stored(self.put(n1, "/kv/http/k?w=3", b"v"))
            n2.kill()
            n3.kill()
            refused = harness.wait_until(
                lambda: (lambda reply: reply if reply.status == 503 else None)(
                    self.put(n1, "/kv/http/k?timeout=1s", b"w")), "a refusal")
            self.assertEqual(refused.json()["error"]["code"], "unavailable")
            self.assertEqual(refused.headers["retry-after"], "1")
            self.assertEqual(self.curl(n1, "/kv/http/k?r=1").status, 200)


if __name__ == "__main__":
    unittest.main()
