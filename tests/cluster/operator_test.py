"""What an operator asks of a running cluster: is it safe, what is wrong, how is it set, what does it do now."""

import base64
import json
import os
import re
import signal
import subprocess
import tarfile
import unittest
import urllib.error
import urllib.request

import harness
from harness import EDDYCTL, OK, UNHEALTHY, USAGE, Cluster


class OperatorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, start=False)
        cls.config = os.path.join(cls.cluster.folder, "all.toml")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write("[background]\nanti_entropy_seconds = 1\n")
        cls.cluster.flags = ("--config", cls.config)
        cls.cluster.start()
        cls.n1, cls.n2, cls.n3 = cls.cluster.nodes

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def ask(self, *words, code=OK, node=None):
        ended = (node or self.n1).ctl(*words)
        self.assertEqual(ended.returncode, code, ended)
        return ended.stdout.decode()

    def ask_json(self, *words, code=OK):
        return json.loads(self.ask(*words, "--json", code=code))

    def refusal(self, *words, code=USAGE):
        ended = self.n1.ctl(*words)
        self.assertEqual((ended.returncode, ended.stdout), (code, b""), ended)
        return ended.stderr.decode()

    def test_status_says_first_whether_one_is_safe(self):
        harness.wait_until(lambda: not self.ask_json("status")["safety"]["unproven"], "all to be found equal")
        lines = self.ask("status").splitlines()
        self.assertIn("SAFE: all 3 nodes are ready", lines[0])
        self.assertTrue(lines[2].startswith("serving  any 1 node, or any 1 zone of 3 may fail"), lines)
        self.assertTrue(lines[3].startswith("kept     any 1 node, or any 1 zone of 3 may be lost for ever"), lines)
        self.assertIn("any 2 nodes, or any 2 zones of 3 of what is proven", lines[3])
        self.assertTrue(lines[4].startswith("proven   every partition was equal"), lines)
        self.assertEqual(lines[5], "hints    none")
        self.assertNotIn("\033", "".join(lines))

        self.n3.kill()
        try:
            for k in range(30):
                self.assertEqual(self.n1.put("safe%d" % k, "v"), OK)
            status = harness.wait_until(
                lambda: (lambda said: said if said["safety"]["hints"] else None)(
                    self.ask_json("status", code=UNHEALTHY)), "hints for n3")
            self.assertEqual(status["safety"]["serving"], {"nodes": 0, "zones": 0})
            self.assertEqual(status["safety"]["nothing_proven_lost"], {"nodes": 1, "zones": 1})
            self.assertEqual({name for at in status["safety"]["hints"] for name in at["for"]}, {"n3"})
            self.assertIn("hints    for n3 at ", self.ask("status", code=UNHEALTHY))
            doctor = self.ask("doctor", code=UNHEALTHY)
            self.assertRegex(doctor, "problem +nodes +n3: .*refused")
            self.assertIn("--replace n3", doctor)
        finally:
            self.n3.restart()
        harness.wait_until(lambda: "hints    none" in self.ask("status"), "the hints to leave")

    def test_doctor_finds_what_is_set_apart_and_each_finding_says_what_to_do(self):
        harness.wait_until(lambda: self.ask_json("doctor")["warnings"] == 0, "a clean bill")
        found = self.ask_json("doctor")
        self.assertEqual({finding["subject"] for finding in found["findings"]},
                         {"nodes", "network", "replicas", "layout", "clocks", "disk", "files", "versions",
                          "configuration"})
        other = os.path.join(self.cluster.folder, "other.toml")
        with open(other, "w", encoding="utf-8") as file:
            file.write("[background]\nanti_entropy_seconds = 1\n[bucket_defaults]\nn = 5\n")
        self.n3.stop()
        self.cluster.flags = ("--config", other)
        try:
            self.n3.restart()
            doctor = self.ask("doctor", code=UNHEALTHY)
            self.assertIn("bucket_defaults.n is 3 on n1, n2, 5 on n3", doctor)
        finally:
            self.cluster.flags = ("--config", self.config)
            self.n3.stop()
            self.n3.restart()

    def test_config_shows_checks_and_describes(self):
        effective = self.ask("config", "effective", "--changed")
        self.assertRegex(effective, r"background\.anti_entropy_seconds +all +1 +60")
        self.assertRegex(effective, r'node\.zone +n2 +"z2"')
        by_name = {node["name"]: node["settings"] for node in self.ask_json("config", "effective")["nodes"]}
        self.assertRegex(by_name["n3"]["storage.memory_limit"], "^[0-9]+(MiB|GiB)$", "as the machine has it")
        self.assertEqual(by_name["n1"]["bucket.redis.conflict"], "lww")
        self.assertIn("did you mean storage.memory_limit", self.refusal("config", "effective", "storage.memory_limt"))

        described = self.ask_json("config", "describe")["settings"]
        self.assertGreater(len(described), 40)
        # Each is named where settings are documented.
        with open(os.path.join(os.environ.get("EDDY_ROOT", "."), "docs/OPERATIONS.md"), encoding="utf-8") as page:
            text = page.read()
        self.assertEqual([each["key"] for each in described if "`%s`" % each["key"] not in text], [])
        self.assertIn("EDDY_STORAGE_MEMORY_LIMIT", self.ask("config", "describe", "memory_limit"))
        self.assertIn("did you mean doors.native", self.refusal("config", "describe", "doors.natve"))

        self.assertIn("is good", self.ask("config", "check", self.config))
        bad = os.path.join(self.cluster.folder, "bad.toml")
        with open(bad, "w", encoding="utf-8") as file:
            file.write('[doors]\nnative = "7400"\n')
        self.assertIn("bad.toml:2:10: native: expected an integer", self.refusal("config", "check", bad))
        self.assertIn("cannot read", self.refusal("config", "check", "/no/such/file"))
        self.assertIn("config describe", self.refusal("config"))

    def test_the_level_of_the_log_changes_while_nodes_run(self):
        before = self.ask_json("log-level", "--all")["nodes"]
        self.assertEqual([node["level"] for node in before], ["info"] * 3)
        self.assertIn("n1  debug, was info", self.ask("log-level", "debug"))
        self.assertEqual([node["level"] for node in self.ask_json("log-level", "--all")["nodes"]],
                         ["debug", "info", "info"])
        self.assertIn("shows debug and above", self.n1.log())
        self.ask("log-level", "info", "--all")
        self.assertIn("not in", self.refusal("log-level", "loud"))

    def test_a_bundle_holds_what_helps_and_no_secret_key_or_value(self):
        self.assertEqual(self.n1.put("bundle-key", "bundle-value"), OK)
        log = os.path.join(self.cluster.folder, "some.log")
        with open(log, "w", encoding="utf-8") as file:
            file.write("a line\npassword=hunter2 and more\n")
        path = os.path.join(self.cluster.folder, "bundle.tar")
        self.ask("debug", "bundle", "--file", path, "--log", log)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with tarfile.open(path) as bundle:
            files = {member.name: bundle.extractfile(member).read() for member in bundle}
        for name in ("README.txt", "status.json", "doctor.json", "nodes/n2/process.show.json",
                     "nodes/n3/config.show.json", "nodes/n1/errors.json"):
            self.assertIn(name, files)
        for name, content in files.items():
            if name.endswith(".json"):
                json.loads(content)
            for secret in (b"hunter2", b"bundle-value", b"bundle-key"):
                self.assertNotIn(secret, content, name)
        self.assertEqual(json.loads(files["status.json"])["cluster"], "test")
        (kept,) = [content for name, content in files.items() if name.startswith("logs/")]
        self.assertEqual(kept, b"a line\npassword=(removed) and more\n")
        self.assertIn("it is there already", self.refusal("debug", "bundle", "--file", path, code=harness.FAILED))
        self.assertIn("/no/such", self.refusal("debug", "bundle", "--log", "/no/such/log", code=harness.FAILED))
        self.assertIn("cannot make", self.refusal("debug", "bundle", "--file", "/no/such/b.tar", code=harness.FAILED))
        self.assertIn("debug bundle", self.refusal("debug"))

    def http(self, node, call, body=None):
        request = urllib.request.Request("http://%s:%d/admin/v1/%s" % (node.address, harness.HTTP, call), data=body,
                                         headers={"Content-Type": "application/json"} if body is not None else {})
        with urllib.request.urlopen(request, timeout=harness.END_SECONDS) as reply:
            return json.load(reply)

    def test_long_work_is_listed_waited_for_and_cancelled(self):
        self.ask("tasks", "wait")
        # The first pass over all records begins by itself; the next one comes in an hour.
        self.ask("tasks", "wait", "scrub")
        harness.wait_until(lambda: self.ask_json("tasks") == {"tasks": [], "silent": []}, "the first pass to end")
        self.assertIn("no node does anything that takes long", self.ask("tasks", "list"))
        # Of two owners the one with the smaller id begins, so with this one away nobody else can end a repair.
        *others, away = sorted(self.cluster.nodes, key=lambda node: self.http(node, "status")["node"])
        asked = others[0]
        away.signal(signal.SIGSTOP)
        try:
            begun = self.http(asked, "repair.start", b"{}")["begun"]
            (repair,) = [each for each in self.http(asked, "tasks.show")["tasks"] if each["kind"] == "repair"]
            self.assertEqual((repair["total"], repair["can_be_cancelled"]), (begun, True))
            tasks = json.loads(self.ask("tasks", "--json", "--timeout", "1s", code=UNHEALTHY, node=asked))
            self.assertEqual([each["name"] for each in tasks["silent"]], [away.name])
            self.assertIn(asked.name + "/repair", [each["task"] for each in tasks["tasks"]])
            with subprocess.Popen([EDDYCTL, "tasks", "wait", asked.name + "/repair", "--node", asked.address,
                                   "--timeout", "1s"], stdout=subprocess.PIPE) as waiting:
                said = self.ask("tasks", "cancel", asked.name + "/repair", node=asked)
                self.assertIn("cancelled at %s: " % asked.name, said)
                self.assertEqual(waiting.wait(harness.END_SECONDS), OK)
            self.assertIn("there was no", self.ask("tasks", "cancel", asked.name + "/repair", node=asked))
            with subprocess.Popen([EDDYCTL, "tasks", "wait", "--node", asked.address, "--timeout", "1s"],
                                  stderr=subprocess.PIPE, text=True) as waiting:
                # It waits for the one that says nothing, until it is told to end.
                while waiting.poll() is None:
                    waiting.send_signal(signal.SIGINT)
                    try:
                        waiting.wait(0.1)
                    except subprocess.TimeoutExpired:
                        pass
                self.assertIn(waiting.returncode, (130, -signal.SIGINT))
        finally:
            away.signal(signal.SIGCONT)
        self.ask("tasks", "wait")
        self.assertEqual(self.ask_json("tasks")["tasks"], [])
        self.assertIn("not taken back half way", self.refusal("tasks", "cancel", "transfer", code=harness.REFUSED))
        self.assertIn("scrub_hours", self.refusal("tasks", "cancel", "scrub", code=harness.REFUSED))
        self.assertIn("did you mean repair", self.refusal("tasks", "cancel", "repiar"))
        self.assertIn("there are n1, n2, n3", self.refusal("tasks", "wait", "n9/repair"))

    def test_what_eddyctl_asks_can_be_asked_over_http(self):
        for call in ("cluster.show", "cluster.ring?partition=3", "repair.status", "hints.show", "process.show",
                     "config.show", "keys.page", "siblings.page?least=2", "tasks.show"):
            self.assertIsInstance(self.http(self.n1, call), dict, call)
        self.assertEqual(len(self.http(self.n1, "cluster.ring?partition=3")["layouts"][0]["lists"]), 1)
        self.assertEqual(self.n1.put("http-key", "v", "--bucket", "ops"), OK)
        held = [self.http(node, "key.show?bucket=ops&key=http-key") for node in self.cluster.nodes]
        self.assertTrue(any(each["record"] for each in held), held)
        keys = self.http(self.n1, "keys.page?bucket=ops")["keys"]
        self.assertIn(base64.b64encode(b"http-key").decode(), [key["key_base64"] for key in keys])
        change = b'{"changes": [{"kind": "weight", "node": "n1", "weight": 200}]}'
        self.assertEqual(len(self.http(self.n1, "cluster.plan", change)["members"]), 3)
        self.assertEqual(self.http(self.n1, "log.level", b"{}")["level"], "info")
        listed = self.http(self.n1, "")["calls"]
        for page in ("docs/HTTP.md", "docs/PROTOCOL.md"):
            with open(os.path.join(os.environ["EDDY_ROOT"], page), encoding="utf-8") as file:
                text = file.read()
            names = {each["call"] for each in listed} - {"status", "keys.page"}
            self.assertEqual([name for name in sorted(names) if "`%s`" % name not in text], [], page)
        for each in listed:
            if each["call"] not in ("status", "keys.page"):
                with self.subTest(each["call"]):
                    request = urllib.request.Request(
                        "http://%s:%d/admin/v1/%s" % (self.n1.address, harness.HTTP, each["call"]),
                        data=b'{"no such argument": 1}', headers={"Content-Type": "application/json"})
                    with self.assertRaises(urllib.error.HTTPError) as refused:
                        urllib.request.urlopen(request, timeout=harness.END_SECONDS)
                    self.assertIn(refused.exception.code, (400, 501))
                    self.assertIn("text", json.load(refused.exception)["error"])

    def test_the_dashboard_shows_what_nodes_tell(self):
        with open(os.path.join(os.environ["EDDY_ROOT"], "docker/grafana.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        with urllib.request.urlopen("http://%s:%d/metrics" % (self.n1.address, harness.HTTP)) as reply:
            told = set(re.findall(r"^(\w+)", reply.read().decode(), re.M))
        # Of what there is not always a sample of.
        told |= {"eddy_equal_seconds_ago", "eddy_hint_bytes"}
        shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(shown), 20)
        for expression in shown:
            names = re.findall(r"(?:eddy|process)_\w+", expression)
            self.assertEqual([name for name in names if name not in told], [], expression)
            self.assertTrue(names or "up{" in expression, expression)
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        # Each expression is one that Prometheus takes.
        rules = os.path.join(self.cluster.folder, "rules.yml")
        with open(rules, "w", encoding="utf-8") as file:
            json.dump({"groups": [{"name": "g", "rules": [
                {"record": "r:%d" % k, "expr": text.replace("$__rate_interval", "1m").replace("$job", ".*")}
                for k, text in enumerate(shown)]}]}, file)
        checked = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_top_shows_rates_until_it_has_shown_enough_or_is_told_to_end(self):
        with subprocess.Popen([EDDYCTL, "top", "--node", self.n1.address, "--json", "--interval", "100ms"],
                              stdout=subprocess.PIPE) as top:
            try:
                json.loads(top.stdout.readline())
                for k in range(20):
                    self.n1.put("top%d" % k, "v")
                for line in top.stdout:
                    if any(node["per_second"]["puts"] for node in json.loads(line)["nodes"]):
                        break
                top.send_signal(signal.SIGINT)
                self.assertEqual(top.wait(harness.END_SECONDS), 130)
            finally:
                top.kill()
        shown = self.ask("top", "--count", "2", "--interval", "100ms")
        self.assertEqual(shown.count("\nnode "), 2)
        for words in (("--interval", "1ms"), ("--interval", "soon"), ("--count", "0")):
            self.refusal("top", *words)


if __name__ == "__main__":
    unittest.main()
