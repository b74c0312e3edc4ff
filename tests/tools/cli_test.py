"""eddyctl as scripts and people use it, against one real node in a temporary folder: every verb, every exit code, every
kind of bad input with the exact words that it is answered with."""

import base64
import json
import os
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BIN = os.environ["EDDY_BIN"]
EDDYCTL = os.path.join(BIN, "eddyctl")
# In eddyd's environment EDDY_ variables are settings; those of the tests are not for it.
DAEMON_ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("EDDY_")}

OK, FAILED, USAGE, NOT_FOUND, UNAVAILABLE, UNKNOWN, SIBLINGS, PARTIAL, UNHEALTHY, REFUSED = range(10)
BINARY = bytes(range(256)) * 3


def free_address():
    """A loopback address on which nobody has the doors' usual ports."""
    while True:
        address = "127.%d.%d.%d" % (random.randrange(20, 220), random.randrange(1, 255), random.randrange(1, 255))
        sockets = []
        try:
            for port in (7400, 7401, 7379, 7480):
                sockets.append(socket.socket())
                sockets[-1].bind((address, port))
            return address
        except OSError:
            pass
        finally:
            for bound in sockets:
                bound.close()


class Node:
    """A cluster of one, named n1, in a folder that goes with it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="eddy-cli-")
        self.address = free_address()
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            [os.path.join(BIN, "eddyd"), "--cluster", "test", "--name", "n1", "--host", self.address]
            + ["--data-dir", os.path.join(self.folder, "data"), "--durability", "os"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=DAEMON_ENVIRONMENT)
        deadline = time.monotonic() + 30
        while subprocess.run([EDDYCTL, "health", "--node", self.address], capture_output=True).returncode != OK:
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                raise RuntimeError("the node did not become ready")
            time.sleep(0.02)  # poll

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.folder)


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node()
        cls.addClassCleanup(cls.node.stop)

    def run_ctl(self, *words, stdin=b"", node=None, environment=None):
        command = [EDDYCTL, *words]
        if node is not False:
            command += ["--node", node or self.node.address]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=60,
                              env={**os.environ, **(environment or {})})

    def ctl(self, *words, code=OK, **options):
        """Runs eddyctl, demands its exit code and gives what it printed."""
        ended = self.run_ctl(*words, **options)
        self.assertEqual(ended.returncode, code, ended)
        return ended.stdout

    def ctl_json(self, *words, code=OK, **options):
        return json.loads(self.ctl(*words, "--json", code=code, **options))

    def assert_error(self, words, code, text, **options):
        """The golden form of an error: nothing on standard output, exactly `text` on standard error."""
        ended = self.run_ctl(*words, **options)
        self.assertEqual((ended.stderr.decode(), ended.returncode, ended.stdout), (text, code, b""))

    def key(self):
        """A key that no other test uses."""
        return self.id().rsplit(".", 1)[1]

    def folder_file(self, name, content=b""):
        path = os.path.join(self.node.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path


class KeysTest(CliTest):
    def test_a_value_is_printed_as_it_was_given(self):
        for value in ("hello", "", "ends with a newline\n", "grüß dich"):
            self.ctl("put", self.key(), value)
            self.assertEqual(self.ctl("get", self.key()), value.encode())

    def test_on_a_terminal_a_value_ends_with_a_newline(self):
        self.ctl("put", self.key(), "hello")
        ours, theirs = pty.openpty()
        subprocess.run([EDDYCTL, "get", self.key(), "--node", self.node.address], stdout=theirs, check=True)
        os.close(theirs)
        self.assertEqual(os.read(ours, 100), b"hello\r\n")
        os.close(ours)

    def test_values_come_from_standard_input_and_from_files(self):
        for words in (["put", self.key()], ["put", self.key(), "-"]):
            self.ctl(*words, stdin=BINARY)
            self.assertEqual(self.ctl("get", self.key()), BINARY)
            self.ctl("del", self.key())
        self.ctl("put", self.key(), "--file", self.folder_file("value", BINARY))
        self.assertEqual(self.ctl("get", self.key()), BINARY)

    def test_a_value_that_begins_with_a_dash_goes_behind_two(self):
        self.ctl("put", "--node", self.node.address, "--", self.key(), "-5", node=False)
        self.assertEqual(self.ctl("get", self.key()), b"-5")

    def test_a_key_may_be_named_like_a_verb(self):
        self.ctl("put", "get", "put")
        self.assertEqual(self.ctl("get", "get"), b"put")

    def test_buckets_are_apart(self):
        self.ctl("put", self.key(), "here", "--bucket", "a")
        self.ctl("put", self.key(), "there", "--bucket", "b")
        self.assertEqual(self.ctl("get", self.key(), "--bucket", "a"), b"here")
        self.ctl("get", self.key(), code=NOT_FOUND)

    def test_a_put_replaces_and_a_delete_deletes(self):
        self.ctl("put", self.key(), "old")
        self.ctl("put", self.key(), "new")
        self.assertEqual(self.ctl("get", self.key()), b"new")
        self.ctl("del", self.key())
        self.ctl("get", self.key(), code=NOT_FOUND)

    def test_deleting_nothing_is_done(self):
        self.ctl("del", self.key())

    def test_nothing_there(self):
        self.assert_error(["get", "nobody"], NOT_FOUND, "eddyctl: nothing is stored under 'nobody' in bucket 'default'\n")

    def test_siblings_are_shown_and_settled(self):
        self.ctl("put", self.key(), "mine", "--blind")
        self.ctl("put", self.key(), "yours", "--blind")
        self.assert_error(
            ["get", self.key()], SIBLINGS,
            "eddyctl: '%s' has 2 siblings, written concurrently\n"
            "See them with --all; settle them with a put, which replaces what is there\n" % self.key())
        shown = self.ctl("get", self.key(), "--all").decode()
        self.assertRegex(shown, r"^2 siblings, ")
        self.assertRegex(shown, r"dot [0-9a-f]{32}:\d+  time \d{4}-\d\d-\d\dT\S+Z  4 bytes\nmine\n")
        self.assertIn("\nyours\n", shown)
        ended = self.run_ctl("put", self.key(), "ours")
        self.assertEqual((ended.returncode, ended.stderr), (OK, b"replacing 2 siblings\n"))
        self.assertEqual(self.ctl("get", self.key()), b"ours")

    def test_a_context_replaces_exactly_what_it_saw(self):
        self.ctl("put", self.key(), "first")
        ended = self.run_ctl("get", self.key(), "--show-context")
        self.assertEqual(ended.stdout, b"first")
        word, token = ended.stderr.decode().split()
        self.assertEqual(word, "context")
        self.ctl("put", self.key(), "second")
        self.ctl("put", self.key(), "third", "--context", token)
        self.assertEqual({sibling["value"] for sibling in self.ctl_json("get", self.key(), "--all")["siblings"]},
                         {"second", "third"})

    def test_a_put_shows_the_context_of_what_it_wrote(self):
        token = self.ctl("put", self.key(), "first", "--show-context").decode().strip()
        self.ctl("put", self.key(), "second", "--context", token)
        self.assertEqual(self.ctl("get", self.key()), b"second")

    def test_a_delete_with_an_old_context_leaves_what_came_later(self):
        token = self.ctl("put", self.key(), "first", "--show-context").decode().strip()
        self.ctl("put", self.key(), "second")
        self.ctl("del", self.key(), "--context", token)
        self.assertEqual(self.ctl("get", self.key()), b"second")

    def test_a_context_of_another_key_is_refused(self):
        token = self.ctl("put", self.key(), "value", "--show-context").decode().strip()
        self.ctl("put", "another", "value", "--context", token, code=USAGE)
        self.ctl("put", self.key(), "value", "--context", "no!context", code=USAGE)

    def test_a_value_expires(self):
        self.ctl("put", self.key(), "value", "--ttl", "1h")
        self.assertEqual(self.ctl("get", self.key()), b"value")
        self.ctl("put", self.key(), "value", "--ttl", "1ms")
        deadline = time.monotonic() + 10
        while self.run_ctl("get", self.key()).returncode != NOT_FOUND:
            self.assertLess(time.monotonic(), deadline, "the value did not expire")

    def test_json(self):
        put = self.ctl_json("put", self.key(), "value")
        self.assertEqual((put["bucket"], put["key"]), ("default", self.key()))
        got = self.ctl_json("get", self.key())
        self.assertEqual(got["value"], "value")
        self.assertEqual(got["context"], put["context"])
        self.assertEqual([sibling["bytes"] for sibling in got["siblings"]], [5])
        self.ctl("put", self.key(), stdin=b"\xff")
        self.assertEqual(base64.b64decode(self.ctl_json("get", self.key())["value_base64"]), b"\xff")
        self.ctl_json("del", self.key())
        error = self.ctl_json("get", self.key(), code=NOT_FOUND)["error"]
        self.assertEqual((error["code"], error["exit_code"]), ("not-found", NOT_FOUND))

    def test_quorums_that_cannot_be_met(self):
        self.ctl("put", self.key(), "value")
        ended = self.run_ctl("get", self.key(), "-r", "4")
        self.assertEqual((ended.returncode, ended.stdout), (USAGE, b""))
        ended = self.run_ctl("put", self.key(), "value", "-w", "2")
        self.assertIn(ended.returncode, (USAGE, UNAVAILABLE))
        self.assertEqual(self.ctl("get", self.key()), b"value")

    def test_a_value_over_the_limit(self):
        self.assert_error(["put", self.key()], USAGE,
                          "eddyctl: the value has 16777217 bytes; at most 16777216 are allowed\n",
                          stdin=bytes(16 * 1024 * 1024 + 1))
        largest = random.Random(1).randbytes(16 * 1024 * 1024)
        self.ctl("put", self.key(), "--timeout", "60s", stdin=largest)
        self.assertEqual(self.ctl("get", self.key(), "--timeout", "60s"), largest)

    def test_a_key_over_the_limit(self):
        self.ctl("put", "k" * 65536, "value")
        self.assertEqual(self.ctl("get", "k" * 65536), b"value")
        self.assert_error(["get", "k" * 65537], USAGE, "eddyctl: the key has 65537 bytes; at most 65536 are allowed\n")

    def test_an_answer_that_cannot_be_written(self):
        self.ctl("put", self.key(), "value")
        with open("/dev/full", "wb") as full:
            ended = subprocess.run([EDDYCTL, "get", self.key(), "--node", self.node.address], stdout=full,
                                   stderr=subprocess.PIPE)
        self.assertEqual(ended.returncode, FAILED)
        self.assertIn(b"the answer could not be written", ended.stderr)


class ClusterTest(CliTest):
    def test_status(self):
        shown = self.ctl("status").decode()
        self.assertTrue(shown.startswith("WORKING, with nothing to spare: the only node is ready"), shown)
        self.assertRegex(shown, r"\nn1 +ready +%s +7400 7379 7480 - " % self.node.address)
        status = self.ctl_json("status")
        self.assertEqual((status["cluster"], status["verdict"], status["failures_tolerated"]), ("test", "degraded", 0))
        (node,) = status["nodes"]
        self.assertEqual((node["name"], node["state"], node["ready"]), ("n1", "ready", True))
        self.assertEqual(node["doors"], {"host": self.node.address, "native": 7400, "peer": 0, "resp": 7379, "http": 7480})
        self.assertEqual(node["partitions_owned"], status["partitions"])

    def test_health(self):
        self.ctl("health")
        self.assertEqual(self.ctl_json("health"), {"name": "n1", "ready": True})

    def test_ring(self):
        # The slot is that of Redis Cluster: {hash tags} count, buckets do not.
        ring = self.ctl_json("ring", "{user}:1")
        self.assertEqual(ring["slot"], 5474)
        self.assertEqual(ring["preference_list"], ["n1"])
        self.assertEqual(self.ctl_json("locate", "user", "--bucket", "b")["slot"], 5474)
        self.assertIn("replica   n1  %s:7400" % self.node.address, self.ctl("ring", "key").decode())

    def test_ring_of_all_partitions(self):
        ring = self.ctl_json("ring")
        (layout,) = ring["layouts"]
        self.assertEqual((layout["version"], ring["reading"]), (1, 1))
        self.assertEqual([each["partition"] for each in layout["partitions"]], list(range(ring["partitions"])))
        self.assertEqual([owner["node"] for owner in layout["partitions"][5]["owners"]], ["n1"])
        (one,) = self.ctl_json("ring", "--partition", "5")["layouts"]
        self.assertEqual(one["partitions"], [layout["partitions"][5]])
        self.assertEqual(self.ctl("ring", "--partition", "5").decode().split("\n")[0].split(),
                         ["partition", "layout", "1,", "read", "by"])
        for words, text in ((["ring", "--partition", str(ring["partitions"])], b"partition must be an integer within 0 to"),
                            (["ring", "key", "--partition", "5"], b"--partition")):
            with self.subTest(words=words):
                ended = self.run_ctl(*words)
                self.assertEqual((ended.returncode, ended.stdout), (USAGE, b""), ended)
                self.assertIn(text, ended.stderr)

    def test_the_node_may_come_from_the_environment(self):
        self.ctl("health", node=False, environment={"EDDY_NODE": self.node.address})

    def test_the_next_node_is_tried(self):
        self.ctl("put", self.key(), "value", node="127.0.0.1:1,%s" % self.node.address)

    def test_nobody_there(self):
        for verb in (["get", "key"], ["put", "key", "value"], ["status"], ["import", "/dev/null"], ["ring", "key"]):
            ended = self.run_ctl(*verb, "--timeout", "500ms", node="127.0.0.1:1")
            self.assertEqual((ended.returncode, ended.stdout), (UNAVAILABLE, b""), ended)
            self.assertIn(b"127.0.0.1:1", ended.stderr)
        self.ctl("health", "--timeout", "500ms", node="127.0.0.1:1", code=UNHEALTHY)

    def test_another_cluster(self):
        for verb in (["get", "key"], ["put", "key", "value"], ["status"], ["import", "/dev/null"]):
            ended = self.run_ctl(*verb, "--cluster", "other")
            self.assertEqual((ended.returncode, ended.stdout), (REFUSED, b""), ended)
            self.assertIn(b"other", ended.stderr)

    def test_a_door_of_another_kind(self):
        ended = self.run_ctl("get", "key", "--timeout", "1s", node=self.node.address + ":7379")
        self.assertEqual(ended.stdout, b"")
        self.assertNotEqual(ended.returncode, OK)
        self.assertTrue(ended.stderr.startswith(b"eddyctl: "))


class CommandLineTest(CliTest):
    def test_what_is_wrong_is_named(self):
        see = "\nSee: eddyctl help\n"
        for words, text in (
            ([], "no verb: say what to do, such as eddyctl status" + see),
            (["gte", "key"], "unknown verb 'gte'; did you mean get?" + see),
            (["frobnicate"], "unknown verb 'frobnicate'" + see),
            (["help", "stauts"], "unknown verb 'stauts'; did you mean status?" + see),
            (["get"], "KEY is required\nSee: eddyctl help get\n"),
            (["get", "key", "--bukcet", "b"], "unknown option '--bukcet'; did you mean --bucket?\nSee: eddyctl help get\n"),
            (["get", "key", "--clutser=x"], "unknown option '--clutser'; did you mean --cluster?\nSee: eddyctl help get\n"),
            (["put", "key", "two", "words"],
             "'words' is one word too many for put: put quotes around a value with spaces\nSee: eddyctl help put\n"),
            (["put", "key", "-x"],
             "unknown option '-x' (a value that begins with - goes after --)\nSee: eddyctl help put\n"),
            (["get", "key", "--timeout", "5"],
             "--timeout: '5' is not a duration: write a whole number and a unit, such as 250ms, 5s, 2m, 3h or 7d"
             "\nSee: eddyctl help get\n"),
        ):
            with self.subTest(words=words):
                self.assert_error(words, USAGE, "eddyctl: " + text, node=False)

    def test_bad_figures(self):
        for words in (["get", "key", "-r", "256"], ["get", "key", "-r", "two"], ["get", "key", "-r", "-1"],
                      ["ring", "key", "-n", "0"], ["import", "-", "--window", "0"], ["bench", "--depth", "0"],
                      ["bench", "--door", "front"], ["put", "key", "v", "--ttl", "1y"]):
            with self.subTest(words=words):
                ended = self.run_ctl(*words, node=False)
                self.assertEqual((ended.returncode, ended.stdout), (USAGE, b""), ended)
                self.assertTrue(ended.stderr.startswith(b"eddyctl: "), ended.stderr)

    def test_bad_nodes(self):
        for node in ("", "host:port", "host:0", "host:65536", ":7400", "[::1", "a b"):
            with self.subTest(node=node):
                ended = self.run_ctl("get", "key", "--node", node, "--timeout", "1s", node=False)
                self.assertEqual((ended.returncode, ended.stdout), (USAGE, b""), ended)

    def test_an_empty_key_or_bucket(self):
        self.ctl("get", "", code=USAGE)
        self.ctl("put", "", "value", code=USAGE)
        self.ctl("get", "key", "--bucket", "", code=USAGE)

    def test_a_context_and_none(self):
        self.assert_error(["del", "key", "--context", "x", "--blind"], USAGE,
                          "eddyctl: --context and --blind: give one of them\n")

    def test_a_value_and_a_file(self):
        self.assert_error(["put", "key", "value", "--file", "f"], USAGE, "eddyctl: a value and --file: give one of them\n")

    def test_a_file_that_is_not_there(self):
        self.assert_error(["put", "key", "--file", "/nowhere"], FAILED,
                          "eddyctl: cannot open /nowhere: No such file or directory\n")

    def test_errors_in_json(self):
        error = json.loads(self.ctl("gte", "--json", code=USAGE, node=False))["error"]
        self.assertEqual((error["code"], error["exit_code"]), ("invalid-argument", USAGE))

    def test_help_and_version(self):
        for words in (["help"], ["--help"], ["-h"]):
            shown = self.ctl(*words, node=False).decode()
            for verb in ("put", "get", "del", "status", "health", "ring", "import", "export", "bench", "Exit codes"):
                self.assertIn(verb, shown)
        for words in (["help", "put"], ["put", "--help"]):
            self.assertIn("--context", self.ctl(*words, node=False).decode())
        for words in (["version"], ["--version"]):
            self.assertRegex(self.ctl(*words, node=False).decode(), r"^eddyctl \d+\.\d+\.\d+ \(native protocol \d+\)\n$")
        self.assertIn("protocol", json.loads(self.ctl("version", "--json", node=False)))


class ImportTest(CliTest):
    def lines(self, *entries):
        return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)

    def test_what_is_imported_is_there_byte_for_byte(self):
        key = self.key()
        entries = [{"bucket": "a", "key": "%s:%d" % (key, i), "value": "value %d" % i} for i in range(2000)]
        entries.append({"key": key, "value_base64": base64.b64encode(BINARY).decode()})
        ended = self.run_ctl("import", self.folder_file("lines", self.lines(*entries)), "--bucket", "b")
        self.assertEqual(ended.returncode, OK, ended)
        self.assertRegex(ended.stdout.decode(), r"^2,001 stored, 0 failed in \d+\.\d{3} s \([\d,]+/s\)\n$")
        self.assertEqual(ended.stderr, b"")
        for i in (0, 1999):
            self.assertEqual(self.ctl("get", "%s:%d" % (key, i), "--bucket", "a"), b"value %d" % i)
        self.assertEqual(self.ctl("get", key, "--bucket", "b"), BINARY)

    def test_again_changes_nothing(self):
        line = self.lines({"key": self.key(), "value": "v"})
        for _ in range(2):
            self.ctl("import", "-", stdin=line)
        self.assertEqual(self.ctl("get", self.key()), b"v")

    def test_the_last_line_of_a_key_wins(self):
        self.ctl("import", "-", stdin=self.lines(*({"key": self.key(), "value": str(i)} for i in range(50))))
        self.assertEqual(self.ctl("get", self.key()), b"49")

    def test_siblings_and_expiry_are_kept(self):
        self.ctl("import", "-", stdin=self.lines({"key": self.key(), "siblings": [
            {"value": "a", "expires_at_ms": 4102444800000}, {"value": "b"}]}))
        siblings = self.ctl_json("get", self.key(), "--all")["siblings"]
        self.assertEqual({(sibling["value"], sibling.get("expires_at_ms")) for sibling in siblings},
                         {("a", 4102444800000), ("b", None)})

    def test_lines_that_fail_are_named_and_kept(self):
        errors = os.path.join(self.node.folder, "errors")
        bad = b'{"key":"x","vlaue":""}\n'
        source = self.folder_file("lines", self.lines({"key": self.key(), "value": "1"}) + bad + b"\n" +
                                  self.lines({"key": self.key() + "2", "value": "2"}))
        ended = self.run_ctl("import", source, "--errors", errors)
        self.assertEqual(ended.returncode, PARTIAL)
        self.assertEqual(ended.stderr.decode(),
                         "line 2: invalid-argument: unknown member 'vlaue'; did you mean \"value\"?\n"
                         "The lines that failed are in %s. Put right what is wrong and: eddyctl import %s\n"
                         % (errors, errors))
        self.assertRegex(ended.stdout, rb"^2 stored, 1 failed in ")
        with open(errors, "rb") as file:
            self.assertEqual(file.read(), bad)
        self.assertEqual(self.ctl("get", self.key() + "2"), b"2")

    def test_without_an_errors_file_the_way_on_is_shown(self):
        source = self.folder_file("lines", self.lines({"key": self.key(), "value": "1"}) + b"oops\n" +
                                  self.lines({"key": self.key(), "value": "3"}))
        ended = self.run_ctl("import", source)
        self.assertEqual(ended.returncode, PARTIAL)
        self.assertIn("To go on from the first line that failed: eddyctl import %s --continue-from 2\n" % source,
                      ended.stderr.decode())
        self.assertEqual(self.ctl_json("import", source, code=PARTIAL)["continue_from"], 2)

    def test_going_on_skips_the_lines_before(self):
        source = self.folder_file("lines", b"oops\noops\n" + self.lines({"key": self.key(), "value": "v"}))
        self.assertRegex(self.ctl("import", source, "--continue-from", "3"), rb"^1 stored, 0 failed")

    def test_a_slow_writer_does_not_hold_up_what_is_there(self):
        with subprocess.Popen([EDDYCTL, "import", "-", "--node", self.node.address], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            process.stdin.write(self.lines({"key": self.key(), "value": "v"}))
            process.stdin.flush()
            deadline = time.monotonic() + 30
            while self.run_ctl("get", self.key()).returncode != OK:
                self.assertLess(time.monotonic(), deadline, "the line was not stored while more might come")
            process.stdin.close()
            self.assertEqual(process.wait(30), OK)

    def test_ctrl_c_ends_with_a_report(self):
        lines = self.folder_file("lines", self.lines(*({"key": str(i), "value": "v"} for i in range(20000))))
        with subprocess.Popen([EDDYCTL, "import", lines, "--rate", "100", "--node", self.node.address],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 30
            while self.run_ctl("get", "0").returncode != OK:
                self.assertLess(time.monotonic(), deadline, "the import did not begin")
            process.send_signal(2)
            shown, errors = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 130)
        stored = int(shown.split()[0].replace(b",", b""))
        self.assertIn(b"--continue-from %d\n" % (stored + 1), errors)
        self.ctl("get", str(stored - 1))
        self.ctl("get", str(stored + 1), code=NOT_FOUND)

    def test_nothing_to_import(self):
        self.assertRegex(self.ctl("import", "/dev/null"), rb"^0 stored, 0 failed")
        self.assert_error(["import", "/nowhere"], FAILED, "eddyctl: cannot open /nowhere: No such file or directory\n")
        self.assert_error(["import", "/dev/null", "--errors", "/nowhere/errors"], FAILED,
                          "eddyctl: cannot write /nowhere/errors: No such file or directory\n")


class ExportTest(CliTest):
    def test_what_is_exported_can_be_imported(self):
        lines = b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in (
            [{"bucket": self.key(), "key": "%d" % i, "value": "v%d" % i} for i in range(300)]
            + [{"bucket": self.key(), "key_base64": "/w==", "value_base64": base64.b64encode(BINARY).decode()}]))
        source = self.folder_file("lines", lines)
        self.ctl("import", source)
        self.assertEqual(self.ctl("export", "--keys", source), lines)
        self.assertEqual(self.ctl("export", "--keys", "-", "--direct", stdin=lines), lines)

    def test_every_key_of_a_bucket_or_of_all(self):
        entries = [{"bucket": self.key(), "key": "key %d" % i, "value": "v%d" % i} for i in range(2500)]
        self.ctl("import", "-", stdin=b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
        self.ctl("del", "key 7", "--bucket", self.key())
        del entries[7]

        def keys_of(shown):
            return sorted((entry["bucket"], entry["key"], entry["value"]) for entry in map(json.loads, shown.splitlines()))

        wanted = keys_of(b"\n".join(json.dumps(entry).encode() for entry in entries))
        self.assertEqual(keys_of(self.ctl("export", "--bucket", self.key())), wanted)
        self.ctl("put", self.key(), "elsewhere", "--bucket", self.key() + "2")
        every = self.ctl("export", "--all-buckets").splitlines()
        self.assertEqual(len([1 for line in every if json.loads(line)["bucket"].startswith(self.key())]), 2500)
        self.assertEqual(self.ctl("export", "--bucket", "nothing in it"), b"")

    def test_keys_that_are_absent_are_left_out(self):
        self.ctl("put", self.key(), "v", "--bucket", "b")
        ended = self.run_ctl("export", "--keys", "-", "--bucket", "b",
                             stdin=b'{"key":"nobody"}\n\n{"key":"%s"}\n' % self.key().encode())
        self.assertEqual((json.loads(ended.stdout)["value"], ended.returncode), ("v", OK))

    def test_a_line_that_names_no_key(self):
        self.assert_error(["export", "--keys", self.folder_file("keys", b'\n{"kye":"k"}\n')], USAGE,
                          "eddyctl: line 2: unknown member 'kye'; did you mean \"key\"?\n"
                          "0 exported, 0 absent, 0 failed\n")
        self.assert_error(["export", "--keys", "/nowhere"], FAILED, "eddyctl: cannot open /nowhere: No such file or directory\n")


class BenchTest(CliTest):
    def test_measures_both_doors(self):
        rows = self.ctl_json("bench", "--connections", "2", "--depth", "1,4", "--value-bytes", "100", "--keys", "100",
                             "--duration", "50ms", "--warm-up", "10ms", "--pids", str(self.node.process.pid))["rows"]
        self.assertEqual([(row["door"], row["op"], row["depth"]) for row in rows],
                         [(door, op, depth) for door in ("native", "resp") for op in ("set", "get") for depth in (1, 4)])
        for row in rows:
            self.assertGreater(row["operations"], 0)
            self.assertEqual((row["errors"], row["absent"]), ({}, 0))
            self.assertLessEqual(row["p50_us"], row["p999_us"])
            self.assertIn("server_us", row)

    def test_the_table(self):
        shown = self.ctl("bench", "--door", "native", "--connections", "1", "--depth", "1", "--value-bytes", "10",
                         "--op", "get", "--keys", "10", "--duration", "20ms", "--warm-up", "1ms").decode()
        head, row = shown.splitlines()
        self.assertEqual(row.split()[:6], ["native", "get", "uniform", "10", "1", "1"])
        for column in ("door", "ops/s", "p50 us", "p90 us", "p99 us", "p99.9", "max", "pause ms", "errors"):
            self.assertIn(column, head)
        self.assertTrue(row.endswith("none"), row)

    def test_a_process_that_is_not_there(self):
        ended = self.run_ctl("bench", "--door", "native", "--keys", "10", "--pids", "999999999")
        self.assertEqual(ended.returncode, USAGE)
        self.assertIn(b"no process 999999999", ended.stderr)

    def test_ycsbs_workloads(self):
        short = ("--keys", "200", "--value-bytes", "100", "--duration", "200ms", "--warm-up", "20ms")
        rows = self.ctl_json("bench", "--workload", "a,b,c,d,e,f", *short)["rows"]
        kinds = {"ycsb-a": {"read", "update"}, "ycsb-b": {"read", "update"}, "ycsb-c": {"read"},
                 "ycsb-d": {"read", "insert"}, "ycsb-e": {"scan", "insert"}, "ycsb-f": {"read", "rmw"}}
        self.assertEqual({row["op"]: set(row["kinds"]) for row in rows}, kinds)
        for row in rows:
            with self.subTest(row["op"]):
                self.assertEqual(row["door"], "resp" if row["op"] == "ycsb-e" else "native")
                self.assertEqual(row["distribution"], "latest" if row["op"] == "ycsb-d" else "zipfian")
                self.assertEqual((row["errors"], row["absent"]), ({}, 0))
                self.assertEqual(sum(kind["operations"] for kind in row["kinds"].values()), row["operations"])
                self.assertGreater(sum(second["ops_per_s"] for second in row["each_second"]), 0)
                values = [value for _, value in row["quantiles"]]
                self.assertEqual(values, sorted(values))
        rows = self.ctl_json("bench", "--workload", "a,f", "--door", "resp", "--distribution", "uniform", *short)["rows"]
        self.assertEqual([(row["door"], row["op"], row["distribution"], row["errors"]) for row in rows],
                         [("resp", op, "uniform", {}) for op in ("ycsb-a", "ycsb-f")])

    def test_a_read_modify_write_replaces_what_it_read(self):
        # Where siblings are kept, blind writes pile up, and those that carry what they have read do not.
        bucket = self.key()
        self.ctl("put", "key:000000000000", "to be replaced", "--bucket", bucket)
        row, = self.ctl_json("bench", "--mix", "rmw=1", "--bucket", bucket, "--keys", "1", "--no-fill", "--value-bytes", "10",
                             "--connections", "1", "--duration", "100ms", "--warm-up", "0ms")["rows"]
        self.assertGreater(row["kinds"]["rmw"]["operations"], 1)
        self.assertEqual(len(self.ctl("get", "key:000000000000", "--bucket", bucket)), 10)

    def test_an_open_loop_accounts_for_every_request_that_was_due(self):
        row, = self.ctl_json("bench", "--mix", "read=1,update=1", "--rate", "300", "--duration", "1s", "--keys", "100",
                             "--warm-up", "50ms")["rows"]
        self.assertEqual(row["operations"] + sum(row["errors"].values()) + row["unsent"], 300)
        self.assertEqual((row["rate"], row["connections"], row["depth"]), (300, 16, 64))
        self.assertGreaterEqual(row["late"], 0)
        rows = self.ctl_json("bench", "--op", "get", "--rate", "100,200", "--duration", "100ms", "--keys", "10", "--no-fill")
        self.assertEqual([row["rate"] for row in rows["rows"]], [100, 200])

    def test_a_run_with_the_seed_of_another_writes_anew(self):
        words = ("bench", "--op", "get", "--door", "native", "--keys", "20", "--value-bytes", "10", "--connections", "1",
                 "--depth", "1", "--duration", "20ms", "--warm-up", "0ms", "--seed", "7")
        self.ctl(*words)
        self.ctl("del", "key:000000000003", "--bucket", "redis")
        self.assertEqual(self.ctl_json(*words)["rows"][0]["absent"], 0)
        self.assertEqual(len(self.ctl("get", "key:000000000003", "--bucket", "redis")), 10)

    def test_a_line_a_second_where_somebody_watches_and_what_was_measured_after_ctrl_c(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([EDDYCTL, "bench", "--workload", "b", "--keys", "50", "--duration", "1h", "--node",
                                    self.node.address], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        try:
            seen = b""
            while not re.search(rb" 1 s +[0-9,]+ ops/s   p50 +[0-9]+ us   p99 +[0-9]+ us   0 errors\r\n", seen):
                seen += os.read(ours, 1000)
            process.send_signal(signal.SIGINT)
            shown = process.communicate(timeout=30)[0].decode()
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        self.assertEqual(process.returncode, 130)
        self.assertEqual([line.split()[1] for line in shown.splitlines()], ["op", "ycsb-b"], shown)

    def test_a_page(self):
        name = self.folder_file("bench.html", b"what was there before")
        short = ("--op", "get", "--door", "native", "--keys", "10", "--duration", "20ms", "--connections", "1", "--depth", "1",
                 "--value-bytes", "10")
        self.assert_error(["bench", *short, "--html", "/nowhere/at/all.html"], FAILED,
                          "eddyctl: --html: cannot write /nowhere/at/all.html: No such file or directory\n")
        for file in (name, name + ".new"):
            ended = self.run_ctl("bench", *short, "--html", file, "--cluster", "another")
            self.assertEqual(ended.returncode, REFUSED, ended)
        with open(name, "rb") as page:
            self.assertEqual(page.read(), b"what was there before", "nothing was measured")
        self.assertFalse(os.path.exists(name + ".new"))
        rows = self.ctl_json("bench", *short, "--html", name)["rows"]
        with open(name, encoding="utf-8") as page:
            data = re.search(r"^const data = (.*);$", page.read(), re.M).group(1)
        self.assertEqual(json.loads(data)["rows"], rows)

    def test_what_contradicts_itself_or_cannot_be_measured(self):
        for words, text in (
            (["--op", "get", "--workload", "a"], "--op, --workload and --mix each say what the operations are: give one of them"),
            (["--workload", "a", "--mix", "read=1"], "--op, --workload and --mix each say what the operations are"),
            (["--workload", "e", "--door", "native"], "ycsb-e has scans, and the native door has no request for several keys: "
             "--door resp reads them with MGET"),
            (["--mix", "scan=1", "--door", "resp,floor"], "the floor door has no request for several keys"),
            (["--workload", "g"], "'g' is unknown: there are a, b, c, d, e, f"),
            (["--op", "put"], "'put' is unknown: there are get, set"),
            (["--door", "rsp"], "'rsp' is unknown; did you mean resp?: there are native, resp, floor"),
            (["--distribution", "zipfan"], "'zipfan' is unknown; did you mean zipfian?"),
            (["--mix", "read=1,wriet=1"], "--mix: 'wriet' is no kind of operation"),
            (["--mix", ""], "has no operations"),
            (["--rate", "0"], "at a rate of 0 nothing is sent: give requests a second, or leave --rate out for a closed loop"),
            (["--rate", "-5"], "'-5' is no rate"),
            (["--rate", "99999999"], "'99999999' is no rate: give requests a second, up to 10000000"),
            (["--duration", "0s"], "in no time nothing can be measured"),
            (["--connections", "10000", "--depth", "4096"], "are more than 1,000,000 requests outstanding"),
            (["--keys", "0"], "--keys"),
        ):
            with self.subTest(words=words):
                ended = self.run_ctl("bench", *words)
                self.assertEqual((ended.returncode, ended.stdout), (USAGE, b""), ended)
                self.assertIn(text, ended.stderr.decode())

    def test_a_node_that_nobody_reaches(self):
        with socket.socket() as bound:
            bound.bind((self.node.address, 0))
            nobody = "%s:%d" % bound.getsockname()
            ended = self.run_ctl("bench", "--door", "native", "--keys", "10", node=nobody)
        self.assertEqual((ended.returncode, ended.stdout), (UNAVAILABLE, b""), ended)
        self.assertIn(nobody + ": cannot connect", ended.stderr.decode())
        ended = self.run_ctl("bench", "--door", "native", "--keys", "10", "--cluster", "another")
        self.assertEqual(ended.returncode, REFUSED, ended)


if __name__ == "__main__":
    unittest.main(verbosity=2)
