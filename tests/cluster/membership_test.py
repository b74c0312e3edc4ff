"""Clusters that grow, shrink and replace what was lost, as real processes, while clients go on: whatever was
acknowledged can be read at every moment, and a node that is not, or no more, a member says so."""

import json
import random
import shutil
import threading
import time
import unittest

import harness
from harness import NOT_DONE, OK, Cluster

SETTLE_SECONDS = 90


class Load:
    """Clients that write and read until told to stop, each value after the one before it."""

    def __init__(self, nodes, clients=3, keys=150):
        self.nodes = nodes  # who may be asked; changed while it runs
        self.keys = keys
        self.acknowledged = {}  # key: the last number that was
        self.issued = {}
        self.operations = 0
        self.wrong = []
        self.stopping = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(client,)) for client in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, client):
        drawn = random.Random(client)
        while not self.stopping:
            node = drawn.choice(self.nodes)
            try:
                with node.resp() as connection:
                    for _ in range(50):
                        if self.stopping or node not in self.nodes:
                            break
                        self.step(drawn, connection, "%d:%d" % (client, drawn.randrange(self.keys)))
            except (OSError, ConnectionError):
                time.sleep(0.02)  # poll: the node is down, and another one is asked

    def step(self, drawn, connection, key):
        """A key is written and read by one client alone."""
        try:
            if drawn.randrange(2):
                number = self.issued[key] = self.issued.get(key, 0) + 1
                connection.ask("SET", key, number)
                self.acknowledged[key] = number
            else:
                told = self.acknowledged.get(key, 0)
                found = int(connection.ask("GET", key) or 0)
                if not told <= found <= self.issued.get(key, 0):
                    with self.lock:
                        self.wrong.append("%s is %d, and %d was acknowledged" % (key, found, told))
            self.operations += 1
        except harness.RespError:
            pass  # not done, or not known to be

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


class MembershipTest(unittest.TestCase):
    def members(self, node):
        shown = json.loads(node.ctl("members", "--json").stdout)
        return {member["name"]: member for member in shown["members"]}

    def settle(self, node):
        ended = node.ctl("cluster", "wait", "--json", seconds=SETTLE_SECONDS)
        self.assertEqual(ended.returncode, OK, ended)
        return json.loads(ended.stdout)["layout_version"]

    def order(self, node, *words):
        ended = node.ctl("cluster", *words, "--yes", "--wait", seconds=SETTLE_SECONDS)
        self.assertEqual(ended.returncode, OK, ended)

    def check(self, load, nodes):
        load.stop()
        self.assertEqual(load.wrong, [])
        self.assertGreater(len(load.acknowledged), 100)
        for node in nodes:
            with node.resp() as connection:
                for key, told in load.acknowledged.items():
                    found = int(connection.ask("GET", key) or 0)
                    self.assertTrue(told <= found <= load.issued[key],
                                    "%s is %d at %s, and %d was acknowledged" % (key, found, node.name, told))

    def test_it_grows_and_shrinks_while_clients_go_on(self):
        with Cluster(3, addresses=5) as cluster:
            n1, n2, n3 = cluster.nodes
            load = Load([n1, n2, n3])
            try:
                n4, n5 = cluster.add(), cluster.add()
                for node in (n4, n5):
                    node.start()
                for node in (n4, n5):
                    node.wait_ready()
                self.settle(n1)
                self.assertEqual(set(self.members(n4)), {"n1", "n2", "n3", "n4", "n5"})
                load.nodes = [n3, n4, n5]
                for leaver in (n1, n2):
                    self.order(n5, "leave", leaver.name)
                self.assertEqual(set(self.members(n5)), {"n3", "n4", "n5"})
                (layout,) = json.loads(n5.ctl("ring", "--json").stdout)["layouts"]
                for partition in layout["partitions"]:
                    self.assertEqual({owner["node"] for owner in partition["owners"]}, {"n3", "n4", "n5"})
                before = load.operations
                harness.wait_until(lambda: load.operations > before + 200, "clients to go on")
            finally:
                load.stop()
            self.check(load, (n3, n4, n5))
            for leaver in (n1, n2):
                self.assertEqual(leaver.put("k", "v"), NOT_DONE)
                self.assertIn("removed from the cluster", leaver.ctl("health").stdout.decode())
                self.assertEqual(leaver.stop(), harness.STOPPED)
            self.check(load, (n3, n4, n5))

    def test_any_step_of_growing_survives_kills(self):
        with Cluster(3, addresses=4) as cluster:
            drawn = random.Random(4)
            load = Load(list(cluster.nodes))
            try:
                cluster.add().start()
                for _ in range(6):
                    moment = load.operations + drawn.randrange(1, 600)  # of the move, whichever
                    harness.wait_until(lambda moment=moment: load.operations >= moment, "clients to go on")
                    victim = drawn.choice(cluster.nodes)
                    victim.kill()
                    victim.start()
                for node in cluster.nodes:
                    node.wait_ready()
                self.settle(cluster.nodes[0])
            finally:
                load.stop()
            self.assertEqual(set(self.members(cluster.nodes[0])), {"n1", "n2", "n3", "n4"})
            self.check(load, cluster.nodes)

    def test_what_is_lost_is_replaced_and_only_when_told(self):
        with Cluster(3) as cluster:
            n1, n2, n3 = cluster.nodes
            for k in range(100):
                self.assertEqual(n1.put("k%d" % k, "v%d" % k, "-w", "3"), OK)
            # The first seed, which founded the cluster: it founds no second one.
            n1.kill()
            shutil.rmtree(n1.directory)
            n1.start()
            harness.wait_until(lambda: b"--replace n1" in n1.ctl("health").stdout, "it to say what to do")
            self.assertEqual(len(self.members(n2)), 3)
            n1.kill()
            n1.start("--replace", "n1")
            n1.wait_ready()
            self.settle(n2)
            self.assertEqual(len(self.members(n2)), 3)
            n2.kill()
            for k in range(100):
                self.assertEqual(n1.get("k%d" % k), "v%d" % k)

    def test_a_node_takes_over_from_another_while_clients_go_on(self):
        with Cluster(4, addresses=5) as cluster:
            n1, n2, n3, n4 = cluster.nodes
            n5 = cluster.add()
            n5.environment = {"EDDY_AUTO_JOIN": "false"}
            load = Load([n1, n3, n4])
            try:
                n5.start()
                for node in (n1, n3):
                    harness.wait_until(lambda node=node: b"cluster replace NODE n5" in node.ctl("members").stdout,
                                       "%s to know of it" % node.name)
                self.assertNotIn("n5", self.members(n1))
                held = {(partition["partition"], owner["node"])
                        for partition in json.loads(n1.ctl("ring", "--json").stdout)["layouts"][0]["partitions"]
                        for owner in partition["owners"]}
                plan = json.loads(n1.ctl("cluster", "replace", "n2", "n5", "--plan", "--json").stdout)
                self.assertEqual([(move["from"], move["to"]) for move in plan["moves"]], [("n2", "n5")])
                self.assertEqual(plan["moves"][0]["partitions"], len([1 for _, name in held if name == "n2"]))
                self.order(n3, "replace", "n2", "n5")
                self.assertEqual(set(self.members(n1)), {"n1", "n3", "n4", "n5"})
                holds = {(partition["partition"], owner["node"])
                         for partition in json.loads(n5.ctl("ring", "--json").stdout)["layouts"][0]["partitions"]
                         for owner in partition["owners"]}
                self.assertEqual(holds, {(partition, "n5" if name == "n2" else name) for partition, name in held})
            finally:
                load.stop()
            self.assertEqual(n2.stop(), harness.STOPPED)
            self.check(load, (n1, n3, n4, n5))

    def test_staged_changes_are_made_together_by_whichever_member_is_told(self):
        with Cluster(4, addresses=5) as cluster:
            n1, n2, n3, n4 = cluster.nodes
            n5 = cluster.add()
            n5.environment = {"EDDY_AUTO_JOIN": "false"}
            load = Load([n1, n3, n4])
            try:
                n5.start()
                staged = n1.ctl("cluster", "set-weight", "n4", "200")
                self.assertEqual(staged.returncode, OK, staged)
                self.assertIn(b"eddyctl cluster commit", staged.stderr)
                # It is staged by itself that n5 joins, and every member tells every other one.
                harness.wait_until(lambda: b"n4 gets weight 200" in n3.ctl("cluster", "plan").stdout and
                                   b"n5 joins" in n3.ctl("cluster", "plan").stdout, "n3 to hear what is staged")
                self.assertEqual(n3.ctl("cluster", "replace", "n2", "n5", "--json").returncode, OK)
                plan = json.loads(n3.ctl("cluster", "plan", "--json").stdout)
                self.assertEqual(sorted(plan["changes"]), ["n4 gets weight 200", "n5 takes over from n2"])
                self.assertIsInstance(plan["seconds_least"], int)
                self.assertEqual({row["name"]: row["change"] for row in plan["members"] if row["change"]},
                                 {"n2": "leaves", "n5": "joins"})
                self.assertEqual(self.settle(n1), 1)  # nothing has been done
                refused = n3.ctl("cluster", "commit")
                self.assertEqual(refused.returncode, harness.USAGE, refused)
                refused = n3.ctl("cluster", "leave", "n1", "--wait")
                self.assertEqual(refused.returncode, harness.USAGE, refused)
                self.order(n3, "commit")
                # All at once, and then n2 goes.
                self.assertEqual(self.settle(n5), 3)
                self.assertEqual({name: member["weight"] for name, member in self.members(n1).items()},
                                 {"n1": 100, "n3": 100, "n4": 200, "n5": 100})
                self.assertEqual(n1.ctl("cluster", "plan").stdout, b"Nothing is staged.\n")
                self.assertEqual(n1.ctl("cluster", "commit", "--yes").returncode, harness.REFUSED)
                self.assertEqual(n1.ctl("cluster", "leave", "n3").returncode, OK)
                harness.wait_until(lambda: b"Staged, see 'eddyctl cluster plan': n3 leaves" in n4.ctl("members").stdout,
                                   "n4 to hear of it")
                self.assertEqual(n4.ctl("cluster", "clear").returncode, OK)
                harness.wait_until(lambda: n1.ctl("cluster", "plan").stdout == b"Nothing is staged.\n", "n1 to hear")
                shown = n1.ctl("transfers")
                self.assertEqual(shown.returncode, OK, shown)
                self.assertEqual(shown.stdout, b"Nothing moves.\n")
                self.assertFalse(json.loads(n1.ctl("transfers", "--json").stdout)["moving"])
            finally:
                load.stop()
            self.check(load, (n1, n3, n4, n5))

    def test_transfers_show_what_is_moving_and_who_does_not_answer(self):
        with Cluster(3, addresses=4) as cluster:
            n1, _, n3 = cluster.nodes
            with n1.resp() as connection:
                for k in range(1500):
                    connection.ask("SET", "k%d" % k, "v" * 1000)
            n4 = cluster.add()
            n4.environment = {"EDDY_BACKGROUND_BYTES_PER_SECOND": "100000"}  # it takes a while
            n4.start()

            def receiver(copied, least_bytes=0):
                shown = json.loads(n1.ctl("transfers", "--json").stdout)
                return next((each for each in shown["receivers"] if each["to"] == "n4" and
                             each["copied"] >= copied and each["bytes"] >= least_bytes), None)
            seen = harness.wait_until(lambda: receiver(1, 1), "n4 to be filled", SETTLE_SECONDS)
            self.assertLess(seen["copied"], seen["partitions"])
            self.assertEqual(seen["limit_bytes_per_second"], 100000)
            self.assertEqual({source["from"] for source in seen["sources"]}, {"n1", "n2", "n3"})
            self.assertGreater(seen["bytes_left"], 0)
            self.assertGreater(seen["seconds_left"], 0)
            shown = n1.ctl("transfers")
            self.assertEqual(shown.returncode, OK, shown)
            self.assertIn(b"n4 [", shown.stdout)
            # It goes on from where it was, and says how long that takes it.
            n4.kill()
            n4.start()
            again = harness.wait_until(lambda: receiver(seen["copied"]), "n4 to be filled again", SETTLE_SECONDS)
            self.assertLess(again["elapsed_ms"], 1000 * SETTLE_SECONDS)
            n3.kill()
            harness.wait_until(lambda: n1.ctl("transfers").returncode == harness.UNHEALTHY, "n3 to be missed")
            self.assertIn(b"n3 does not answer", n1.ctl("transfers").stdout)

    def test_a_wiped_node_takes_its_place_by_an_order(self):
        with Cluster(3) as cluster:
            n1, n2, n3 = cluster.nodes
            for k in range(50):
                self.assertEqual(n1.put("k%d" % k, "v%d" % k, "-w", "3"), OK)
            n3.kill()
            shutil.rmtree(n3.directory)
            n3.start()
            harness.wait_until(lambda: b"cluster replace n3 n3 --force" in n1.ctl("members").stdout, "n1 to say how")
            refused = n1.ctl("cluster", "replace", "n3", "n3", "--yes")
            self.assertEqual(refused.returncode, harness.USAGE, refused)
            self.assertIn(b"both are named 'n3'", refused.stderr)
            self.order(n1, "replace", "n3", "n3", "--force")
            n3.wait_ready()
            self.assertEqual(set(self.members(n3)), {"n1", "n2", "n3"})
            n2.kill()
            for k in range(50):
                self.assertEqual(n3.get("k%d" % k), "v%d" % k)

    def test_where_nobody_joins_by_himself_an_order_lets_him_in(self):
        with Cluster(3, start=False, addresses=4) as cluster:
            config = cluster.folder + "/eddy.toml"
            with open(config, "w", encoding="utf-8") as file:
                file.write("auto_join = false\n")
            for node in cluster.nodes:
                node.flags = ("--config", config)
            cluster.start()
            n1 = cluster.nodes[0]
            n4 = cluster.add()
            n4.start()
            harness.wait_until(lambda: b"eddyctl cluster join n4" in n4.ctl("health").stdout, "it to say how")
            self.assertNotIn("n4", self.members(n1))
            harness.wait_until(lambda: b"n4 asks to join" in n1.ctl("members").stdout, "n1 to know of it")
            self.order(n1, "join", "n4")
            n4.wait_ready()
            self.assertIn("n4", self.members(n1))

    def test_a_lost_majority_is_given_up_by_force(self):
        with Cluster(3) as cluster:
            n1, n2, n3 = cluster.nodes
            self.assertEqual(n1.put("k", "v", "-w", "3"), OK)
            for node in (n2, n3):
                node.kill()
            # Two of three do not vote, so the order waits; and of itself a node gives up nobody.
            self.assertEqual(n1.ctl("cluster", "leave", "n2", "--force", "--yes").returncode, OK)
            refused = n1.ctl("cluster", "force-layout", "--lost", "n1", "--yes")
            self.assertEqual(refused.returncode, harness.USAGE, refused)
            self.assertIn(b"other members", refused.stderr)
            self.assertEqual(set(self.members(n1)), {"n1", "n2", "n3"})
            self.assertEqual(n1.put("k", "w"), NOT_DONE)
            forced = n1.ctl("cluster", "force-layout", "--lost", "n2,n3", "--yes", "--wait", seconds=SETTLE_SECONDS)
            self.assertEqual(forced.returncode, OK, forced)
            self.assertIn(b"WITHOUT A VOTE", forced.stderr)
            self.assertEqual(set(self.members(n1)), {"n1"})
            self.assertEqual(n1.get("k"), "v")
            self.assertEqual(n1.put("k", "w"), OK)
            # Whoever was given up and comes back after all is heard no more.
            n2.start()
            harness.wait_until(lambda: b"removed from the cluster" in n2.ctl("health").stdout, "it to learn that")

    def test_a_moved_node_is_known_again(self):
        with Cluster(3, addresses=4) as cluster:
            n1, _, n3 = cluster.nodes
            self.assertEqual(n1.put("k", "v", "-w", "3"), OK)
            self.assertEqual(n3.stop(), harness.STOPPED)
            n3.address = "%s.%d" % (cluster.network, 4)
            n3.process = cluster.spawn("--cluster", "test", "--name", "n3", "--data-dir", n3.directory, "--zone", "z3",
                                       "--seeds", ",".join(cluster.seeds.split(",")[:2]), "--host", n3.address,
                                       log=n3.log_path)
            n3.wait_ready()
            self.settle(n1)
            status = json.loads(n1.ctl("status", "--json").stdout)
            host = {node["name"]: node["doors"]["host"] for node in status["nodes"]}["n3"]
            self.assertEqual(host, n3.address)
            self.assertEqual(n3.get("k"), "v")

    def test_mistakes_are_named_and_change_nothing(self):
        with Cluster(3) as cluster:
            n1 = cluster.nodes[0]
            for words, code, text in (
                    (("leave", "n9"), harness.USAGE, b"no member is named 'n9': there are n"),
                    (("leave", "n2", "--wait"), harness.USAGE, b"--yes"),
                    (("commit", "--yes"), harness.REFUSED, b"nothing is staged"),
                    (("join", "n4", "--yes"), harness.USAGE, b"has asked to join"),
                    (("replace", "n2", "n4", "--yes"), harness.USAGE, b"no node named 'n4' has asked to join"),
                    (("replace", "n2", "n3", "--yes"), harness.USAGE, b"n3 is a member already"),
                    (("replace", "n9", "n4", "--yes"), harness.USAGE, b"no member is named 'n9'"),
                    (("replace", "n2", "--yes"), harness.USAGE, b"NEW"),
                    (("set-weight", "n2", "0", "--yes"), harness.USAGE, b"WEIGHT"),
                    (("set-zone", "n2", "a zone", "--yes"), harness.USAGE, b"[A-Za-z0-9_.-]"),
                    ((), harness.USAGE, b"subcommand")):
                ended = n1.ctl("cluster", *words)
                self.assertEqual(ended.returncode, code, ended)
                self.assertIn(text, ended.stderr, ended)
            plan = n1.ctl("cluster", "leave", "n2", "--plan")
            self.assertEqual(plan.returncode, OK, plan)
            self.assertIn(b"only 2 can be kept", plan.stdout)
            plan = json.loads(n1.ctl("cluster", "leave", "n2", "--plan", "--json").stdout)
            self.assertEqual({member["name"]: member["percent_after"] for member in plan["members"]},
                             {"n1": 50.0, "n2": 0.0, "n3": 50.0})
            self.assertEqual(plan["moves"], [])  # n1 and n3 hold everything
            plan = n1.ctl("cluster", "set-zone", "n2", "z3", "--plan")
            self.assertIn(b"3 replicas in 2 zones", plan.stdout)
            self.assertEqual(self.settle(n1), 1)
            self.order(n1, "set-weight", "n2", "200")
            self.order(n1, "set-zone", "n2", "z9")
            self.assertEqual(self.members(n1)["n2"]["weight"], 200)
            self.assertEqual(self.members(n1)["n2"]["zone"], "z9")
            self.assertEqual(self.settle(n1), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
