"""Commands as an operator types them at the root of the tree; those that do not end in time fail the test."""

import os
import subprocess

ROOT = os.environ["EDDY_ROOT"]


class Commands:
    def __init__(self, environment):
        self.environment = environment

    def run(self, *words, seconds=120):
        return subprocess.run(words, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds)

    def must(self, *words, seconds=120):
        """What the command prints; it fails the test where the command fails."""
        ended = self.run(*words, seconds=seconds)
        if ended.returncode != 0:
            raise AssertionError("%s: exit code %d\n%s%s" % (" ".join(words), ended.returncode, ended.stdout, ended.stderr))
        return ended.stdout
