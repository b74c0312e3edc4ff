"""The cluster of docker/compose.yml, as ./dev docker starts it, in containers: it comes up all at once, is written and
read through its published doors, and goes on while one of its five nodes is killed, paused, cut off, added or taken away.
And eddyctl chaos --docker, whose cluster is another one.

A project of its own on a loopback address of its own, so it does not meet a cluster that somebody uses. What it starts it
takes away again: containers, volumes, network, and dockerd where none ran before."""

import functools
import json
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.environ["EDDY_ROOT"], "tests", "cluster"))
import harness  # noqa: E402
from commands import ROOT, Commands  # noqa: E402

PROJECT = "eddytest"
ADDRESS = "127.74.0.1"
NODES = (1, 2, 3, 4, 5)
IMAGE_SECONDS = 1200
# EDDY_ variables of the test are no settings.
ENVIRONMENT = harness.daemon_environment(COMPOSE_PROJECT_NAME=PROJECT, PUBLISH=ADDRESS)
COMMANDS = Commands(ENVIRONMENT)
run, must = COMMANDS.run, COMMANDS.must


@functools.cache
def compose_program():
    return ("docker", "compose") if run("docker", "compose", "version").returncode == 0 else ("docker-compose",)


def compose_words(*words):
    return (*compose_program(), "-f", "docker/compose.yml", *words)


def compose(*words, seconds=120):
    return must(*compose_words(*words), seconds=seconds)


def eddyctl_words(*words):
    """eddyctl in a container of its own, as an operator runs it."""
    return compose_words("run", "--rm", "-T", "eddyctl", *words)


def container(service):
    return must("docker", "ps", "-aq", "--filter", "label=com.docker.compose.project=" + PROJECT,
                "--filter", "label=com.docker.compose.oneoff=False",
                "--filter", "label=com.docker.compose.service=" + service).split()[0]


def state(service, field):
    return must("docker", "inspect", "-f", "{{%s}}" % field, container(service)).strip()


def healthy(service):
    """As Docker's health check of the image says."""
    return state(service, ".State.Health.Status") == "healthy"


def wait_healthy(*services):
    for service in services:
        harness.wait_until(lambda: healthy(service), "%s to be healthy" % service, 90)


def node(k):
    return "n%d" % k


def eddyctl_at(k, *words):
    """This machine's eddyctl, through the published door of node k."""
    return run(harness.EDDYCTL, words[0], "--node", "%s:1740%d" % (ADDRESS, k), *words[1:])


def redis_cli(k, *words):
    return must("redis-cli", "-h", ADDRESS, "-p", "1737%d" % k, "-e", *words).rstrip("\n")


def setUpModule():
    unittest.addModuleCleanup(must, "./dev", "docker", "stop-engine")
    built = run("./dev", "docker", "image", "--bin", harness.BIN, seconds=IMAGE_SECONDS)
    if built.returncode != 0:
        raise AssertionError("Docker cannot be used on this machine:\n%s%s" % (built.stdout, built.stderr))
    print(built.stdout, flush=True)


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(cls.take_down)
        compose("config", "-q")
        cls.take_down()  # of a run that was cut short
        compose("up", "-d", "--no-build", *map(node, NODES))
        wait_healthy(*map(node, NODES))

    @classmethod
    def take_down(cls):
        print(run(*compose_words("logs", "--no-color", "--tail", "15")).stdout, flush=True)
        compose("--profile", "more", "--profile", "tools", "down", "-v", "--remove-orphans", "-t", "20")
        left = must("docker", "volume", "ls", "-q", "--filter", "label=com.docker.compose.project=" + PROJECT)
        if left:
            raise AssertionError("volumes are left: " + left)

    def write(self, prefix, through):
        """Fifty keys, each through another of these nodes; the last is read through each of them."""
        with_resp = [harness.RespClient(ADDRESS, 17370 + k) for k in through]
        try:
            for i in range(50):
                self.assertEqual(with_resp[i % len(through)].ask("SET", "%s:%d" % (prefix, i), "v%d" % i), b"OK")
            for client in with_resp:
                self.assertEqual(client.ask("GET", prefix + ":49"), b"v49")
        finally:
            for client in with_resp:
                client.close()

    def work_on(self, prefix, through):
        """A write that is on its way through a node at the moment when it falls silent has an unknown outcome, and clients
        try it again; soon none is any more."""
        def undisturbed():
            try:
                self.write(prefix, through)
                return True
            except harness.RespError:
                return False

        harness.wait_until(undisturbed, "fifty writes of which none is disturbed", 60)

    def check(self, prefix, through):
        with harness.RespClient(ADDRESS, 17370 + through) as client:
            for i in range(50):
                self.assertEqual(client.ask("GET", "%s:%d" % (prefix, i)), b"v%d" % i, "%s:%d" % (prefix, i))

    def repaired(self):
        """Every replica was found equal to the others, now."""
        said = must(*eddyctl_words("repair", "--all", "--wait"), seconds=180)
        self.assertIn("equal", said)

    def test_what_is_written_through_one_door_is_read_through_every_other(self):
        self.assertEqual(redis_cli(1, "SET", "shop:cart:7", "two apples"), "OK")
        put = eddyctl_at(2, "put", "greeting", "hello, containers")
        self.assertEqual(put.returncode, harness.OK, put)
        for k in NODES:
            self.assertEqual(redis_cli(k, "GET", "shop:cart:7"), "two apples")
            got = eddyctl_at(k, "get", "greeting")
            self.assertEqual((got.returncode, got.stdout.rstrip("\n")), (harness.OK, "hello, containers"), got)
            with urllib.request.urlopen("http://%s:1748%d/metrics" % (ADDRESS, k), timeout=10) as metrics:
                self.assertIn('node="n%d"' % k, metrics.read().decode())
        self.assertIn("SAFE: all 5 nodes are ready", must(*eddyctl_words("status")))
        self.assertEqual(must(*eddyctl_words("get", "greeting")).rstrip("\n"), "hello, containers")

    def test_what_nodes_tell_prometheus_is_well_formed(self):
        for k in NODES:
            with urllib.request.urlopen("http://%s:1748%d/metrics" % (ADDRESS, k), timeout=10) as metrics:
                checked = subprocess.run(["promtool", "check", "metrics"], input=metrics.read(), capture_output=True,
                                         timeout=60)
            self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))

    def test_replicas_are_in_three_zones(self):
        said = json.loads(must(*eddyctl_words("status", "--json")))
        self.assertEqual({each["name"]: each["zone"] for each in said["nodes"]},
                         {"n1": "z1", "n2": "z2", "n3": "z3", "n4": "z1", "n5": "z2"})

    def test_a_node_is_nobody_special_in_its_container(self):
        self.assertEqual(must("docker", "exec", container("n1"), "id", "-u").strip(), "7400")
        self.assertNotEqual(run("docker", "exec", container("n1"), "touch", "/usr/local/bin/eddyd").returncode, 0)
        self.assertIn("tini", must("docker", "exec", container("n1"), "cat", "/proc/1/comm"))

    def test_a_variable_that_is_no_setting_is_refused(self):
        refused = run("docker", "run", "--rm", "-e", "EDDY_STORAGE_DURABILTY=os", "eddy")
        self.assertEqual(refused.returncode, harness.BAD_CONFIG, refused)
        self.assertIn("did you mean EDDY_STORAGE_DURABILITY?", refused.stderr)

    def test_a_node_that_is_stopped_ends_in_order_and_finds_its_data_again(self):
        self.write("stopped", NODES)
        compose("stop", "n1")
        self.assertEqual(state("n1", ".State.ExitCode"), "0")
        self.check("stopped", through=2)
        compose("start", "n1")
        wait_healthy("n1")
        self.check("stopped", through=1)

    def test_work_goes_on_while_a_node_is_killed_and_it_is_repaired_when_it_is_back(self):
        self.write("before", NODES)
        must("docker", "kill", container("n3"))
        self.work_on("killed", (1, 2, 4, 5))
        self.check("before", through=5)
        status = run(*eddyctl_words("status"))
        self.assertEqual(status.returncode, harness.UNHEALTHY, status)
        self.assertIn("DEGRADED", status.stdout)
        compose("start", "n3")
        wait_healthy("n3")
        self.check("killed", through=3)
        self.repaired()

    def test_work_goes_on_while_a_node_hangs(self):
        paused = container("n2")
        must("docker", "pause", paused)
        try:
            self.work_on("paused", (1, 3, 4, 5))
            self.check("paused", through=4)
        finally:
            must("docker", "unpause", paused)
        wait_healthy("n2")
        self.check("paused", through=2)
        self.repaired()

    def test_who_is_cut_off_acknowledges_nothing_and_comes_back(self):
        cut = container("n5")
        network = PROJECT + "_default"
        must("docker", "network", "disconnect", network, cut)
        try:
            self.work_on("cut", (1, 2, 3, 4))
            alone = run("docker", "exec", cut, "eddyctl", "put", "alone", "n5", "--timeout", "4s")
            self.assertIn(alone.returncode, (harness.NOT_DONE, harness.UNKNOWN), alone)
        finally:
            must("docker", "network", "connect", "--alias", "n5", network, cut)
        # Docker may have given it another address: the others find it by its name.
        harness.wait_until(lambda: run(*eddyctl_words("status", "-q")).returncode == harness.OK, "all to see n5 again", 90)
        self.assertEqual(run("docker", "exec", cut, "eddyctl", "get", "cut:49", "--bucket", "redis").stdout.rstrip("\n"), "v49")
        self.repaired()

    def test_nodes_are_added_by_scaling_and_taken_away_again(self):
        self.write("grown", NODES)
        compose("--profile", "more", "up", "-d", "--no-build", "--scale", "more=1", "more")
        wait_healthy("more")
        name = must("docker", "exec", container("more"), "cat", "/var/lib/eddy/name").strip()
        must(*eddyctl_words("cluster", "wait"), seconds=240)
        members = json.loads(must(*eddyctl_words("status", "--json")))["nodes"]
        self.assertIn(name, [each["name"] for each in members])
        self.check("grown", through=3)

        must(*eddyctl_words("cluster", "leave", name, "--yes", "--wait"), seconds=240)
        compose("--profile", "more", "rm", "-s", "-f", "-v", "more")
        self.assertIn("SAFE: all 5 nodes", must(*eddyctl_words("status")))
        self.check("grown", through=4)


class ChaosTest(unittest.TestCase):
    SECONDS = 25
    SEED = 7  # pulls two cables, and takes a disk away

    @staticmethod
    def there():
        """Of every chaos cluster: containers, volumes and networks."""
        return [name for kind, words in (("container", ("ps", "-a", "--format", "{{.Names}}")),
                                         ("volume", ("volume", "ls", "--format", "{{.Name}}")),
                                         ("network", ("network", "ls", "--format", "{{.Name}}")))
                for name in must("docker", *words).split() if name.startswith("eddychaos")]

    def test_promises_hold_while_containers_are_broken_and_nothing_is_left(self):
        with tempfile.TemporaryDirectory() as folder:
            ended = run(harness.EDDYCTL, "chaos", "--docker", "--seconds", str(self.SECONDS), "--seed", str(self.SEED),
                        "--report", folder, seconds=self.SECONDS + 300)
            self.assertEqual(ended.returncode, harness.OK, ended)
            self.assertRegex(ended.stdout.splitlines()[-1],
                             r"^KEPT: seed 7, [0-9,]+ writes acknowledged, 0 lost, [0-9,]+ unknown, converged in")
            with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
                report = json.load(file)
        print(ended.stdout, [(each["kind"], each["what"]) for each in report["faults"]], flush=True)
        self.assertEqual(report["notes"], [])  # Docker did all that it was told
        self.assertGreater(report["writes_acknowledged"], 500)
        self.assertGreater(report["final_reads"], 5000)
        kinds = {fault["kind"] for fault in report["faults"]}
        self.assertIn("unplug", kinds)
        self.assertGreater(len(kinds), 3)
        self.assertEqual(self.there(), [])

    def test_nothing_is_left_of_a_run_that_was_killed(self):
        with tempfile.TemporaryDirectory() as folder:
            chaos = subprocess.Popen((harness.EDDYCTL, "chaos", "--docker", "--report", folder), cwd=ROOT, env=ENVIRONMENT,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                harness.wait_until(lambda: len(self.there()) > 5, "the containers to be there", 90)
            finally:
                chaos.kill()
                chaos.wait()
        harness.wait_until(lambda: not self.there(), "everything to be taken away", 90)

    def test_a_docker_that_does_not_answer_is_named(self):
        ended = subprocess.run((harness.EDDYCTL, "chaos", "--docker"), cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, env=dict(ENVIRONMENT, DOCKER_HOST="unix:///nowhere"), timeout=60)
        self.assertEqual(ended.returncode, harness.USAGE, ended)
        self.assertIn("docker does not answer: start dockerd", ended.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
