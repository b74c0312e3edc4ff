"""eddyctl backup against real clusters: made under writes, incrementally, found damaged by one byte, restored into a fresh
cluster of another size and into the same one, where what is newer wins; and every way in which making one can fail."""

import base64
import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import harness

KEYS = 3000
INTERRUPTED = 130


def ctl(*words, seconds=120, stdin=b""):
    return subprocess.run([harness.EDDYCTL, *words], input=stdin, capture_output=True, timeout=seconds)


def lines_of(prefix, count, value="v"):
    return b"".join(json.dumps({"key": "%s%d" % (prefix, i), "value": "%s%d" % (value, i)}).encode() + b"\n"
                    for i in range(count))


class Writer:
    """Puts keys one after the other until it is stopped; `done` are those that were acknowledged."""

    def __init__(self, node):
        self.node = node
        self.done = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.is_set():
            key = "during%d" % len(self.done)
            if self.node.put(key, key) == harness.OK:
                self.done.append(key)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


class BackupTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="eddy-backup-")
        self.addCleanup(shutil.rmtree, self.folder)

    def backup(self, verb, *words, node=None, code=harness.OK, **kwargs):
        where = ("--node", node.address) if node else ()
        ended = ctl("backup", verb, *where, "--json", self.folder, *words, **kwargs)
        self.assertEqual(ended.returncode, code, ended)
        return json.loads(ended.stdout)

    def load(self, node, prefix, count, *flags):
        ended = node.ctl("import", "-", *flags, stdin=lines_of(prefix, count))
        self.assertEqual(ended.returncode, harness.OK, ended)

    def exported(self, node):
        ended = node.ctl("export", "--all-buckets", seconds=120)
        self.assertEqual(ended.returncode, harness.OK, ended)
        found = {}
        for line in ended.stdout.splitlines():
            entry = json.loads(line)
            values = entry.get("siblings", [entry])
            found[(entry["bucket"], entry["key"])] = sorted(value["value"] for value in values)
        return found

    def release_is_done(self, cluster):
        for node in cluster.nodes:
            self.assertFalse(os.path.exists(os.path.join(node.directory, "backup")), node.name)

    def test_it_is_made_under_writes_and_restored_into_a_cluster_of_another_size(self):
        with harness.Cluster(3) as cluster:
            n1, n2, n3 = cluster.nodes
            self.load(n1, "k", KEYS, "--bucket", "shop")
            for value in ("apples", "pears"):
                self.assertEqual(n2.put("cart", value, "--bucket", "shop", "--blind"), harness.OK)
            self.assertEqual(n1.put("mortal", "soon gone", "--ttl", "1h"), harness.OK)
            self.assertEqual(n1.ctl("del", "k0", "--bucket", "shop").returncode, harness.OK)
            with Writer(n3) as writer:
                harness.wait_until(lambda: len(writer.done) > 5, "some writes")
                before = list(writer.done)
                first = self.backup("create", node=n1)
            self.release_is_done(cluster)
            self.assertEqual([node["name"] for node in first["nodes"]], ["n1", "n2", "n3"])
            self.assertEqual(first["flaws"], [])
            self.assertEqual(first["fetched_bytes"], first["bytes"])
            self.assertGreaterEqual(sum(node["rows"]["records"] for node in first["nodes"]), 2 * KEYS)

            # Again: what is there already is not fetched, and the first one does not need the second.
            self.load(n1, "more", 50)
            second = self.backup("create", node=n2)
            self.assertLess(second["fetched_bytes"], first["fetched_bytes"] / 2, (first, second))
            self.assertGreater(sum(node["kept_files"] for node in second["nodes"]), 2)
            listed = self.backup("list")
            self.assertEqual([each["id"] for each in listed["backups"]], [first["id"], second["id"]])
            self.assertEqual(listed["partial"], [])
            self.backup("verify", "--all")

            expected = self.exported(n1)
            secondary = dict(expected)

        # All of it into two nodes that know nothing.
        with harness.Cluster(2) as fresh:
            refused = ctl("backup", "restore", "--node", fresh.nodes[0].address, os.path.join(self.folder, "none"))
            self.assertEqual(refused.returncode, harness.USAGE, refused)
            restored = self.backup("restore", node=fresh.nodes[1])
            self.assertTrue(restored["complete"])
            self.assertEqual(restored["failed"], 0)
            self.assertEqual(restored["tombstones"], 1)
            found = self.exported(fresh.nodes[0])
            self.assertEqual(found[("shop", "cart")], ["apples", "pears"])
            for key in before:
                self.assertIn(("default", key), found)
            # What was written after the second backup had begun is not in it; there was nothing.
            self.assertEqual(found, secondary)
            shown = json.loads(fresh.nodes[0].ctl("get", "mortal", "--all", "--json").stdout)
            self.assertIn("expires_at", json.dumps(shown))
            # What was there already is no harm, and what is new is in no one's way.
            self.assertEqual(fresh.nodes[0].put("cart", "both", "--bucket", "shop"), harness.OK)
            self.assertEqual(self.backup("restore", "--bucket", "shop", node=fresh.nodes[0])["failed"], 0)
            self.assertEqual(fresh.nodes[1].get("cart", "--bucket", "shop"), "both")
            self.assertIsNone(fresh.nodes[1].get("k0", "--bucket", "shop"))

    def test_what_is_newer_wins_when_it_is_restored_into_its_own_cluster(self):
        with harness.Cluster(3) as cluster:
            n1, n2, _ = cluster.nodes
            self.load(n1, "k", 300)
            self.backup("create", node=n1)
            self.assertEqual(n2.put("k1", "newer"), harness.OK)
            self.assertEqual(n2.ctl("del", "k2").returncode, harness.OK)
            self.assertEqual(n2.put("k3", "beside it", "--blind"), harness.OK)
            self.assertEqual(n2.put("later", "stays"), harness.OK)
            before = self.exported(n2)
            restored = self.backup("restore", node=n1)
            self.assertEqual((restored["restored"], restored["failed"]), (300, 0))
            self.assertEqual(self.exported(n1), before)
            self.assertEqual(n1.get("k1"), "newer")
            self.assertIsNone(n1.get("k2"))
            self.assertEqual(before[("default", "k3")], ["beside it", "v3"])
            repaired = n1.ctl("repair", "--all", "--wait")
            self.assertEqual(repaired.returncode, harness.OK, repaired)
            self.assertEqual(self.exported(n2), before)

    def test_one_wrong_byte_is_found_and_named(self):
        with harness.Cluster(1) as cluster:
            node = cluster.nodes[0]
            self.load(node, "k", 300)
            made = self.backup("create", node=node)
            verified = self.backup("verify")
            self.assertEqual([each["sound"] for each in verified], [True])
            table = max(glob.glob(os.path.join(made["path"], "n1", "*.sst")), key=os.path.getsize)
            with open(table, "r+b") as file:
                file.seek(100)
                byte = file.read(1)
                file.seek(100)
                file.write(bytes([byte[0] ^ 1]))
            damaged = self.backup("verify", code=harness.UNHEALTHY)
            self.assertIn("n1/" + os.path.basename(table), [flaw["where"] for flaw in damaged[0]["flaws"]])
            refused = self.backup("restore", node=node, code=harness.UNHEALTHY)
            self.assertIn(os.path.basename(table), refused["error"]["text"])
            # The next backup does not take over what has rotted.
            self.backup("create", node=node)
            self.backup("verify")
            # A manifest that is damaged, a newer one, and a file that is gone.
            manifest = os.path.join(made["path"], "backup.json")
            with open(manifest, encoding="utf-8") as file:
                text = file.read()
            for wrong, code in ((text[:-30], harness._), (text.replace('"eddy_backup": 1', '"eddy_backup": 9'),
                                                         harness.REFUSED)):
                with open(manifest, "w", encoding="utf-8") as file:
                    file.write(wrong)
                self.backup("verify", "--backup", made["id"], code=code)
                self.backup("list", code=harness.UNHEALTHY)
            with open(manifest, "w", encoding="utf-8") as file:
                file.write(text)
            os.remove(table)
            damaged = self.backup("verify", "--backup", made["id"], code=harness.UNHEALTHY)
            self.assertIn("No such file", json.dumps(damaged))

    def test_what_is_interrupted_is_no_backup_and_its_files_are_used(self):
        with harness.Cluster(2) as cluster:
            n1, n2 = cluster.nodes
            for turn in range(3):
                ended = n1.ctl("import", "-", stdin=b"".join(
                    json.dumps({"key": "%d-%d" % (turn, i), "value_base64":
                                base64.b64encode(os.urandom(30000)).decode()}).encode() + b"\n" for i in range(100)))
                self.assertEqual(ended.returncode, harness.OK, ended)
            # Slowly, so that it is caught at it.
            slow = subprocess.Popen([harness.EDDYCTL, "backup", "create", self.folder, "--node", n1.address,
                                     "--rate", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                partial = os.path.join(self.folder, "*.partial")
                # A node's files come one after the other, so where there are two the first is whole.
                harness.wait_until(lambda: any(len(glob.glob(os.path.join(node, "*.sst"))) > 1
                                               for node in glob.glob(os.path.join(partial, "*"))), "a first file")
                # One at a time, into the directory and from a node.
                self.backup("create", node=n1, code=harness.REFUSED)
                elsewhere = ctl("backup", "create", os.path.join(self.folder, "sub"), "--node", n1.address)
                self.assertEqual(elsewhere.returncode, harness.REFUSED, elsewhere)
                self.assertIn(b"--supersede", elsewhere.stderr)
                shutil.rmtree(os.path.join(self.folder, "sub"))
                slow.send_signal(signal.SIGINT)
                _, said = slow.communicate(timeout=60)
            finally:
                slow.kill()
                slow.communicate()
            self.assertEqual(slow.returncode, INTERRUPTED, said)
            self.assertIn(b"This is no backup yet", said)
            self.release_is_done(cluster)
            listed = self.backup("list", code=harness.NOT_FOUND)
            self.assertEqual((listed["backups"], len(listed["partial"])), ([], 1))
            self.backup("restore", node=n1, code=harness.USAGE)

            # A node that goes away in the middle: the same, and it says which.
            slow = subprocess.Popen([harness.EDDYCTL, "backup", "create", self.folder, "--node", n1.address,
                                     "--rate", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                harness.wait_until(lambda: len(glob.glob(partial)) == 2 and
                                   os.path.exists(os.path.join(n2.directory, "backup")), "the next one")
                n2.kill()
                _, said = slow.communicate(timeout=60)
            finally:
                slow.kill()
                slow.communicate()
            self.assertEqual(slow.returncode, harness.NOT_DONE, said)
            self.assertIn(b"node n2", said)
            self.assertIn(b"--without", said)
            # It is down: no backup without it, unless that is said.
            self.backup("create", node=n1, code=harness.NOT_DONE)
            n2.restart()
            harness.wait_until(lambda: not os.path.exists(os.path.join(n2.directory, "backup")), "it to be removed")

            made = self.backup("create", node=n1)
            self.assertGreater(sum(node["kept_bytes"] for node in made["nodes"]), 0)
            self.backup("verify")
            listed = self.backup("list")
            self.assertEqual((len(listed["backups"]), listed["partial"]), (1, []))
            partly = self.backup("create", "--without", "n2", node=n1)
            self.assertEqual(partly["without"], ["n2"])
            self.backup("create", "--without", "nobody", node=n1, code=harness.USAGE)

    @unittest.skipUnless(harness.may_mount(), "no mount namespaces here")
    def test_a_full_disk_for_backups_gives_no_backup_and_lets_the_nodes_go(self):
        with harness.Cluster(2) as cluster:
            n1 = cluster.nodes[0]
            ended = n1.ctl("import", "-", stdin=b"".join(
                json.dumps({"key": "k%d" % i, "value_base64": base64.b64encode(os.urandom(30000)).decode()}).encode()
                + b"\n" for i in range(100)))
            self.assertEqual(ended.returncode, harness.OK, ended)
            # Three megabytes of data, and a disk of one.
            script = ('mount -t tmpfs -o size=1m tmpfs "$1" && "$2" backup create "$1" --node "$3"; code=$?; '
                      '"$2" backup list "$1"; exit $code')
            ended = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", self.folder, harness.EDDYCTL, n1.address],
                                   capture_output=True, timeout=60)
            self.assertNotIn(ended.returncode, (harness.OK, harness.USAGE), ended)
            self.assertIn(b"No space left on device", ended.stderr)
            self.assertIn(b"This is no backup yet", ended.stderr)
            self.release_is_done(cluster)
            self.assertEqual(n1.put("after", "v"), harness.OK)
            self.backup("create", node=n1)
            self.backup("verify")

    def test_bad_words_and_bad_places(self):
        with harness.Cluster(1) as cluster:
            node = cluster.nodes[0]
            self.assertEqual(node.put("k", "v"), harness.OK)
            self.backup("list", code=harness.NOT_FOUND)
            self.backup("verify", code=harness.USAGE)
            self.backup("verify", "--backup", "x", code=harness.USAGE)
            file = os.path.join(self.folder, "file")
            with open(file, "w", encoding="utf-8") as made:
                made.write("x")
            for verb, code in (("create", harness._), ("list", harness.USAGE), ("restore", harness.USAGE)):
                ended = ctl("backup", verb, "--node", node.address, file)
                self.assertEqual(ended.returncode, code, ended)
            made = self.backup("create", node=node)
            ended = ctl("backup", "create", "--node", node.address, made["path"])
            self.assertEqual(ended.returncode, harness.USAGE, ended)
            self.assertIn(b"above it", ended.stderr)
            self.backup("restore", "--continue-from", "xyz", node=node, code=harness.USAGE)
            self.backup("restore", "--backup", "none", node=node, code=harness.USAGE)
            unreachable = ctl("backup", "create", "--node", node.address + ":1", self.folder)
            self.assertEqual(unreachable.returncode, harness.NOT_DONE, unreachable)
            ended = ctl("backup", "restore", "--node", node.address + ":1", self.folder)
            self.assertEqual(ended.returncode, harness.NOT_DONE, ended)

            other = harness.Cluster(1, start=False)
            other.name = "other"
            with other:
                other.start()
                far = other.nodes[0]
                refused = self.backup("create", node=far, code=harness.REFUSED)
                self.assertIn("directory of its own", refused["error"]["text"])
                refused = self.backup("restore", node=far, code=harness.REFUSED)
                self.assertIn("--another-cluster", refused["error"]["text"])
                self.assertIsNone(far.get("k"))
                self.backup("restore", "--another-cluster", node=far)
                self.assertEqual(far.get("k"), "v")


if __name__ == "__main__":
    unittest.main()
