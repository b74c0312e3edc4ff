"""A demo is a cluster of its own that can be broken by hand, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import EDDYCTL, OK, USAGE


class DemoTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def demo(self, *flags):
        process = subprocess.Popen([EDDYCTL, "demo", "--keys", "50", *flags], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
                                   env={**os.environ, "TMPDIR": self.folder})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def say(self, process, line, until):
        """Types a line and reads up to one that matches."""
        process.stdin.write(line + "\n")
        process.stdin.flush()
        seen = []
        watchdog = threading.Timer(harness.END_SECONDS, process.kill)
        watchdog.start()
        try:
            for shown in process.stdout:
                seen.append(shown)
                if re.search(until, shown):
                    return "".join(seen)
        finally:
            watchdog.cancel()
        raise AssertionError("%r said only %s" % (line, "".join(seen)))

    def end(self, process):
        process.stdin.close()
        rest = process.stdout.read()
        self.assertEqual(process.wait(harness.END_SECONDS), OK, rest)
        self.assertIn("their data is deleted", rest)
        self.assertEqual(os.listdir(self.folder), [])

    def test_kill_partition_siblings_heal(self):
        process = self.demo("--nodes", "5", "--rate", "300")
        self.say(process, "get key:50 --bucket demo --json", "value 50")
        process.stdin.write("\\kill 2\n")
        self.assertRegex(self.say(process, "\\nodes", "^Every node"), r"n2 +DOWN")
        process.stdin.write("\\start 2\n")
        self.say(process, "\\partition 1,2|3,4,5", r"Cut off from each other: n1,n2 \| n3,n4,n5")

        def both_sides_have_written():
            shown = self.say(process, "\\siblings", "^The sides write on")
            rows = re.findall(r"^(cart:\d+) +by n(\d)  (.*)$", shown, re.M)
            values = {}
            for cart, node, text in rows:
                values.setdefault(cart, []).append(text)
            return any(len(set(texts)) > 1 and not any(text.startswith("(") for text in texts)
                       for texts in values.values())

        harness.wait_until(both_sides_have_written, "the two sides to differ")
        self.say(process, "\\load 0", "^0 a second")
        self.say(process, "\\heal", "The network is whole")
        harness.wait_until(lambda: "  |  " in self.say(process, "\\siblings", "^No cart|^The clients"),
                           "siblings once the two sides see each other")
        self.say(process, "\\load 300", "^300 a second")
        harness.wait_until(lambda: re.search("[1-9][0-9,]* conflicts settled", self.say(process, "\\load", "a second")),
                           "a client to settle a conflict")
        self.say(process, "status", "SAFE|DEGRADED")
        self.end(process)

    def test_mistakes_are_said_and_break_nothing(self):
        process = self.demo("--nodes", "3", "--rate", "0")
        for line, said in (("\\kill", "name nodes"), ("\\kill 4", "no node: they are 1 to 3"), ("\\kill x", "no node"),
                           ("\\kill 1,1", "named twice"), ("\\start 1", "runs already"),
                           ("\\continue 1", "not paused"), ("\\partition", "who is with whom"),
                           ("\\partition 1,2,3", "all nodes are on one side"),
                           ("\\partition 1|1,2", "on two sides"), ("\\heal 1", "takes no words"),
                           ("\\load 9999", "no number from 0"), ("\\load x", "no number"),
                           ("\\siblings a b", "one key"), ("\\kil 1", r"did you mean \\kill"),
                           ("shell", "a shell already"), ("demo", "a shell already")):
            self.say(process, line, said)
        self.say(process, "\\nodes", "^Every node reaches every other")
        process.stdin.write("health\n")
        self.end(process)
        for flags in (("--nodes", "0"), ("--nodes", "10"), ("--rate", "-1"), ("--keys", "x")):
            ended = subprocess.run([EDDYCTL, "demo", *flags], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
            self.assertEqual(ended.returncode, USAGE, ended)

    def test_nothing_is_left_when_it_is_killed(self):
        process = self.demo("--nodes", "1")
        shown = self.say(process, "\\nodes", "^Every node")
        host = re.search(r"(127\.\d+\.\d+\.\d+):7400", shown).group(1)
        process.send_signal(signal.SIGKILL)
        process.wait(harness.END_SECONDS)

        def gone():
            return subprocess.run([EDDYCTL, "health", "--node", host, "--timeout", "1s"],
                                  capture_output=True, timeout=30).returncode != OK

        harness.wait_until(gone, "its node to go with it")


if __name__ == "__main__":
    unittest.main()
