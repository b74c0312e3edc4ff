"""What the nodes keep for one that is away, what each holds of a key, and keys whose siblings nobody resolves."""

import json
import os
import subprocess
import unittest

import harness


class ExplainTest(unittest.TestCase):
    def explain(self, node, *words):
        ended = node.ctl("explain", *words, "--json")
        self.assertEqual(ended.returncode, harness.OK, ended)
        return json.loads(ended.stdout)

    def test_hints_from_the_failure_to_the_delivery(self):
        with harness.Cluster(3) as cluster:
            n1, _, n3 = cluster.nodes
            self.assertEqual(n1.ctl("hints").stdout, b"no node keeps anything for another\n")
            self.assertEqual(n1.ctl("hints", "wait").stdout, b"no node kept anything for another\n")
            n1.put("k", "before")
            shown = self.explain(n1, "k")
            self.assertTrue(shown["converged"], shown)
            self.assertEqual(shown["layouts"][0]["owners"], self.owners(n1, "k"))
            self.assertEqual(len({node["record"]["digest"] for node in shown["nodes"]}), 1)

            n3.kill()
            harness.wait_until(lambda: not self.reaches(n1, "n3"), "n3 to be missed")
            n1.put("k", "after")
            ended = n1.ctl("hints", "--json")
            self.assertEqual(ended.returncode, harness.UNHEALTHY, "n3 does not say what it keeps")
            hints = json.loads(ended.stdout)["hints"]
            self.assertEqual({hint["owner"] for hint in hints}, {"n3"})
            self.assertEqual(sum(hint["keys"] for hint in hints), 1)
            shown = self.explain(n1, "k")
            self.assertFalse(shown["converged"])
            self.assertIn("keeps a hint for n3 and brings it when that is back", " ".join(shown["verdict"]))
            said = n1.ctl("explain", "k").stdout.decode()
            self.assertIn("n3  does not answer", said)
            self.assertIn("keeps for n3: one value", said)
            self.assertIn("Not converged.", said)

            waiting = subprocess.Popen([harness.EDDYCTL, "--node", n1.address, "hints", "wait", "--json"],
                                       stdout=subprocess.PIPE)
            try:
                n3.start()
                n3.wait_ready()
                said, _ = waiting.communicate(timeout=60)
            finally:
                waiting.kill()
                waiting.wait()
            self.assertEqual(waiting.returncode, harness.OK)
            self.assertTrue(json.loads(said)["delivered"])
            self.assertEqual(json.loads(n1.ctl("hints", "--json").stdout)["hints"], [])
            shown = self.explain(n1, "k")
            self.assertTrue(shown["converged"], shown["verdict"])
            self.assertIn("All 3 owners hold the same record.", n1.ctl("explain", "k").stdout.decode())
            self.assertIn("never written", " ".join(self.explain(n1, "never")["verdict"]))

    def test_siblings_are_found_and_capped(self):
        with harness.Cluster(3, start=False) as cluster:
            path = os.path.join(cluster.folder, "cap.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("[bucket.carts]\nsiblings_max = 3\n")
            cluster.flags = ("--config", path)
            cluster.start()
            n1 = cluster.nodes[0]
            blind = ("--bucket", "carts", "--blind")
            for i in range(3):
                self.assertEqual(n1.ctl("put", "crowded", "v%d" % i, *blind).returncode, harness.OK)
            self.assertEqual(n1.ctl("put", "calm", "v", *blind).returncode, harness.OK)
            refused = n1.ctl("put", "crowded", "v3", *blind)
            self.assertEqual(refused.returncode, harness.USAGE, refused)
            self.assertIn(b"siblings_max", refused.stderr)
            self.assertIn(b"context", refused.stderr)
            top = json.loads(n1.ctl("siblings", "top", "--json").stdout)
            self.assertEqual([(key["bucket"], key["key"], key["siblings"]) for key in top["keys"]],
                             [("carts", "crowded", 3)])
            self.assertIn(b"crowded", n1.ctl("siblings", "top", "--bucket", "carts").stdout)
            self.assertIn(b"none of", n1.ctl("siblings", "top", "--bucket", "other").stdout)
            self.assertEqual(len(self.explain(n1, "crowded", "--bucket", "carts")["nodes"][0]["record"]["siblings"]), 3)
            # A write that replaces them is what helps.
            self.assertEqual(n1.ctl("put", "crowded", "one", "--bucket", "carts").returncode, harness.OK)
            self.assertEqual(n1.ctl("get", "crowded", "--bucket", "carts").stdout, b"one")
            self.assertEqual(n1.ctl("siblings", "top").returncode, harness.OK)

            for words in (("siblings",), ("siblings", "top", "-n", "0"), ("explain",), ("hints", "now")):
                self.assertEqual(n1.ctl(*words).returncode, harness.USAGE, words)
            self.assertEqual(n1.ctl("explain", "k" * 70000).returncode, harness.USAGE)

    @staticmethod
    def owners(node, key):
        return json.loads(node.ctl("ring", key, "--json").stdout)["preference_list"]

    @staticmethod
    def reaches(node, other):
        members = json.loads(node.ctl("members", "--json").stdout)["members"]
        return next(member for member in members if member["name"] == other)["reachable"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
