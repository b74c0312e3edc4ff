"""The comparison of a node's store with bare programs measures work that was done, and says what it takes no other way."""

import json
import os
import subprocess
import tempfile
import unittest

BENCH = os.path.join(os.environ["EDDY_BIN"], "eddy-store-bench")


class StoreBenchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_bench(self, *words):
        return subprocess.run([BENCH, *words], capture_output=True, timeout=200, text=True)

    def test_each_line_counts_operations_of_both(self):
        directory = os.path.join(self.folder, "store")
        ended = self.run_bench(directory, "0.1", "1", "--json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        found = json.loads(ended.stdout)
        self.assertEqual([row["op"] for row in found["rows"]],
                         ["put, sync", "put, sync", "put, sync", "put, os", "put, os", "get, cached"])
        for row in found["rows"]:
            for figure in ("eddy_per_s", "bare_per_s", "eddy_us", "bare_us", "ratio"):
                self.assertGreater(row[figure], 0, row)
        self.assertGreater(found["saturated"]["turns"], 0)
        self.assertGreater(found["saturated"]["disk_mib_per_s"], 0)
        self.assertFalse(os.path.exists(directory), "it leaves nothing behind")

    def test_refuses_a_directory_that_exists_and_leaves_it_alone(self):
        with open(os.path.join(self.folder, "mine"), "w", encoding="ascii") as file:
            file.write("x")
        ended = self.run_bench(self.folder)
        self.assertEqual(ended.returncode, 2)
        self.assertIn("exists: name a directory that does not", ended.stderr)
        self.assertEqual(os.listdir(self.folder), ["mine"])
        for words in ((), ("--help",), (os.path.join(self.folder, "new"), "soon"), ("a", "1", "0")):
            ended = self.run_bench(*words)
            self.assertEqual(ended.returncode, 2, words)
            self.assertIn("usage: eddy-store-bench", ended.stderr)


if __name__ == "__main__":
    unittest.main()
