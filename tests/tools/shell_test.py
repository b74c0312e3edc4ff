"""eddyctl for people who type: the shell on a real terminal, completion in real shells, the manual page."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cluster"))
import harness
from harness import EDDYCTL, NOT_FOUND, OK, USAGE

SECONDS = 30


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words, home):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.execve(words[0], words, {**os.environ, "HOME": home, "TERM": "xterm", "COLUMNS": "200"})
        self.seen = b""

    def type(self, text):
        os.write(self.file, text.encode())

    def expect(self, pattern):
        deadline = time.monotonic() + SECONDS
        while True:
            found = re.search(pattern, self.seen, re.S)
            if found:
                self.seen = self.seen[found.end():]
                return found
            if time.monotonic() > deadline or not self.read(deadline):
                raise AssertionError("no %r in %r" % (pattern, self.seen))

    def read(self, deadline):
        if not select.select([self.file], [], [], max(0, deadline - time.monotonic()))[0]:
            return False
        try:
            more = os.read(self.file, 65536)
        except OSError:
            return False
        self.seen += more
        return bool(more)

    def leave(self):
        """Empties the line and types Ctrl-D until the program ends, since what is typed before it listens may not count."""
        deadline = time.monotonic() + SECONDS
        while True:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                os.close(self.file)
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                raise AssertionError("Ctrl-D does not end it: %r" % self.seen)
            try:
                self.type("\x15\x04")
            except OSError:
                pass  # it has just ended
            self.read(time.monotonic() + 0.5)

    def end(self):
        """Reads what is left and gives the exit code."""
        while self.read(time.monotonic() + SECONDS):
            pass
        os.close(self.file)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class ShellTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster(1)
        cls.node = cls.cluster.nodes[0]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)

    def shell(self):
        return Terminal(EDDYCTL, "shell", "--node", self.node.address, home=self.home.name)

    def piped(self, text):
        return subprocess.run([EDDYCTL, "shell", "--node", self.node.address], input=text.encode(),
                              capture_output=True, timeout=SECONDS)

    def test_commands_are_typed_completed_and_remembered(self):
        shell = self.shell()
        shell.expect(rb"Ctrl-D to leave")
        shell.type("put 'the key' \"two words\"\n")
        shell.type("get 'the key'\n")
        shell.expect(rb"two words\r\n")
        shell.type("clus\tle\t--he\t\n")
        shell.expect(rb"Usage: eddyctl cluster leave ")
        shell.type(" put secret value\n")
        shell.type("gte x\n")
        shell.expect(rb"did you mean get\?.*eddy> ")
        self.assertEqual(shell.leave(), USAGE)
        path = os.path.join(self.home.name, ".eddyctl_history")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

        again = self.shell()
        again.expect(rb"eddy> ")
        again.type("\x1b[A\x1b[A\x1b[A\n")
        again.expect(rb"two words\r\n")
        again.type("exit\n")
        self.assertEqual(again.end(), OK)
        with open(path, encoding="utf-8") as file:
            self.assertNotIn("secret", file.read())

    def test_ctrl_c_ends_the_command_and_not_the_shell(self):
        shell = self.shell()
        shell.type("top --interval 100ms\n")
        shell.expect(rb"Ctrl-C ends this")
        shell.type("\x03")
        shell.expect(rb"eddy> ")
        shell.type("version\n")
        shell.expect(rb"eddyctl \d")
        shell.type("exit\n")
        self.assertEqual(shell.end(), OK)

    def test_on_a_terminal_the_verdict_has_a_colour_and_elsewhere_none(self):
        shell = self.shell()
        shell.type("status\n")
        shell.expect(rb"\x1b\[33mWORKING, with nothing to spare")
        shell.type("exit\n")
        shell.end()
        self.assertNotIn(b"\x1b", self.piped("status\n").stdout)

    def test_lines_come_from_a_pipe_too(self):
        ended = self.piped("# a comment\n\nput piped 'a value'\nget piped\nget nothing\n")
        self.assertEqual((ended.returncode, ended.stdout), (NOT_FOUND, b"a value"), ended)
        ended = self.piped("get 'open\nversion\n")
        self.assertIn(b"a quote ' is not closed", ended.stderr)
        self.assertEqual(ended.returncode, OK)
        self.assertEqual(self.piped("shell\n").returncode, USAGE)
        self.assertEqual(self.piped("use\n").returncode, USAGE)
        self.assertEqual(self.piped("use 127.0.0.1:1\nhealth\n").returncode, harness.UNHEALTHY)

    def test_o_json_is_json_everywhere(self):
        for words in (("-o", "json"), ("--output=json",), ("--json",)):
            ended = self.node.ctl("version", *words)
            self.assertTrue(ended.stdout.startswith(b'{"version"'), ended)
            self.assertIn(b'"exit_code":2', self.node.ctl("get", *words).stdout)
        self.assertTrue(self.node.ctl("version", "-o", "table").stdout.startswith(b"eddyctl "))
        self.assertEqual(self.node.ctl("version", "-o", "yaml").returncode, USAGE)


class CompletionTest(unittest.TestCase):
    def ctl(self, *words):
        return subprocess.run([EDDYCTL, *words], capture_output=True, timeout=SECONDS)

    def script(self, shell):
        ended = self.ctl("completion", shell)
        self.assertEqual(ended.returncode, OK, ended)
        file = tempfile.NamedTemporaryFile(suffix="." + shell)
        self.addCleanup(file.close)
        file.write(ended.stdout)
        file.flush()
        return file.name

    def run_shell(self, *words):
        environment = {**os.environ, "PATH": os.path.dirname(EDDYCTL) + ":" + os.environ["PATH"]}
        ended = subprocess.run(words, capture_output=True, timeout=SECONDS, env=environment)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""), ended)
        return ended.stdout.decode().split()

    def test_bash(self):
        script = self.script("bash")

        def complete(*words):
            return self.run_shell(
                "bash", "-c", "source %s; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _eddyctl; "
                "printf '%%s\\n' \"${COMPREPLY[@]}\"" % script, "bash", "eddyctl", *words)

        self.assertEqual(complete("stat"), ["status"])
        self.assertIn("leave", complete("cluster", ""))
        self.assertEqual(complete("cluster", "leave", "--pl"), ["--plan"])
        self.assertIn("--node", complete("get", "--"))
        self.assertEqual(complete("--node", "x", "log-l"), ["log-level"])
        self.assertEqual(complete("help", "doct"), ["doctor"])
        self.assertEqual(complete("put", "--file", script[:-2]), [script])

    def test_zsh(self):
        script = self.script("zsh")
        self.run_shell("zsh", "-f", "-n", script)
        # What it would offer, by a stand-in for zsh's own function that shows the list.
        harness_text = ("compdef() {}; _describe() { print -l -- ${(P)2}; }; _files() { print files; }; "
                        "source %s; words=(eddyctl %s); CURRENT=%d; _eddyctl")
        self.assertIn("leave:Let", " ".join(self.run_shell("zsh", "-f", "-c", harness_text % (script, "cluster ''", 3))))
        self.assertTrue(any(word.startswith("--plan:") for word in self.run_shell(
            "zsh", "-f", "-c", harness_text % (script, "cluster leave --", 4))))

    def test_fish(self):
        script = self.script("fish")
        for line, wanted in (("eddyctl stat", "status"), ("eddyctl cluster le", "leave"),
                             ("eddyctl cluster leave --pl", "--plan"), ("eddyctl help doct", "doctor")):
            found = self.run_shell("fish", "--no-config", "-c", "source %s; complete -C '%s'" % (script, line))
            self.assertIn(wanted, found)

    def test_a_shell_that_is_none_of_them(self):
        self.assertEqual(self.ctl("completion", "tcsh").returncode, USAGE)
        self.assertEqual(self.ctl("completion").returncode, USAGE)

    def test_the_manual_pages_are_well_formed_and_complete(self):
        page = self.ctl("man").stdout
        for verb in re.findall(r"^  ([a-z-]+) ", self.ctl("help").stdout.decode().split("Subcommands:")[1], re.M):
            self.assertIn(verb.replace("-", "\\-").encode(), page)
        with open(os.path.join(os.environ["EDDY_ROOT"], "packaging/eddyd.8"), "rb") as file:
            for text in (page, file.read()):
                ended = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=text, capture_output=True)
                self.assertEqual((ended.returncode, ended.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
