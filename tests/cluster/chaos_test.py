"""eddyctl chaos, with one seed and for a minute: the cluster that it breaks keeps its promises, every kind of fault
was made, and the report is there. And what the fault door refuses."""

import json
import os
import subprocess
import tempfile
import unittest

import harness
from harness import EDDYCTL, OK, USAGE, Cluster

SECONDS = 60


class ChaosTest(unittest.TestCase):
    def test_promises_hold_while_everything_breaks(self):
        with tempfile.TemporaryDirectory() as folder:
            ended = subprocess.run([EDDYCTL, "chaos", "--seconds", str(SECONDS), "--seed", "7", "--report", folder],
                                   capture_output=True, timeout=SECONDS + 240)
            said = ended.stderr.decode() + ended.stdout.decode()
            self.assertEqual(ended.returncode, OK, said)
            self.assertRegex(ended.stdout.decode().splitlines()[-1],
                             r"^KEPT: seed 7, [0-9,]+ writes acknowledged, 0 lost, [0-9,]+ unknown, converged in")
            with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
                report = json.load(file)
            self.assertGreater(report["writes_acknowledged"], 500)
            self.assertGreater(report["final_reads"], 5000)
            self.assertGreater(len({fault["kind"] for fault in report["faults"]}), 4, report["faults"])
            with open(os.path.join(folder, "report.html"), encoding="utf-8") as file:
                self.assertIn('"verdict":"KEPT', file.read())

    def test_mistakes_are_named(self):
        for words, text in ((("--nodes", "2"), b"--nodes"), (("--seconds", "0"), b"--seconds"),
                            (("--eddyd", "/nowhere"), b"/nowhere"),
                            (("--compose", "docker"), b"--docker"), (("--docker", "--eddyd", "eddyd"), b"--eddyd")):
            ended = subprocess.run([EDDYCTL, "chaos", *words], capture_output=True, timeout=60)
            self.assertEqual(ended.returncode, USAGE, ended)
            self.assertIn(text, ended.stderr)

    def test_what_docker_lacks_is_named(self):
        compose_files = os.path.join(os.path.dirname(__file__), "..", "..", "docker")
        with tempfile.TemporaryDirectory() as path:
            def refused(text, *words):
                ended = subprocess.run([EDDYCTL, "chaos", "--docker", *words], env={"PATH": path}, capture_output=True, timeout=60)
                self.assertEqual(ended.returncode, USAGE, ended)
                self.assertIn(text, ended.stderr)

            def docker_answers(*words):
                docker = os.path.join(path, "docker")
                with open(docker, "w", encoding="utf-8") as script:
                    script.write('#!/bin/sh\ncase "$1" in %s) ;; *) echo no such thing; exit 1 ;; esac\n' % "|".join(words))
                os.chmod(docker, 0o755)

            refused(b"--compose", "--compose", path)
            refused(b"apt-get install docker.io", "--compose", compose_files)
            docker_answers("nothing")
            refused(b"docker does not answer", "--compose", compose_files)
            docker_answers("version")
            refused(b"apt-get install docker-compose", "--compose", compose_files)
            docker_answers("version", "compose")
            refused(b"./dev docker image", "--compose", compose_files)


class FaultDoorTest(unittest.TestCase):
    def test_a_cut_node_is_missed_and_comes_back(self):
        with Cluster(3, flags=("--enable-fault-injection",)) as cluster:
            n1, n2, n3 = cluster.nodes
            self.assertEqual(n1.put("k", "v", "-w", "3"), OK)
            for node in (n1, n2):
                self.faults(node, [{"peer": "n3", "drop": True}])
            harness.wait_until(lambda: n1.put("k", "w", "-w", "3", "--timeout", "1s") != OK, "n3 to be missed")
            self.assertEqual(n1.put("k", "x"), OK)
            for node in (n1, n2):
                self.faults(node, [])
            harness.wait_until(lambda: n3.put("k", "y", "-w", "3", "--timeout", "1s") == OK, "n3 to be back")

    def faults(self, node, rules):
        ended = node.ctl("faults", "set", json.dumps(rules))
        self.assertEqual(ended.returncode, OK, ended)

    def test_no_node_lets_itself_be_broken_unless_told_at_its_start(self):
        with Cluster(1) as cluster:
            ended = cluster.nodes[0].ctl("faults", "set", "[]")
            self.assertEqual(ended.returncode, USAGE, ended)
            self.assertIn(b"--enable-fault-injection", ended.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
