"""The command lines in the pages are such as the programs take: each verb and option that a page tells a reader to type exists.
What goes to a node first is also run, against a door that nobody opens: everything but "you typed it wrong" is right."""

import functools
import os
import pathlib
import re
import shlex
import subprocess
import unittest

ROOT = pathlib.Path(os.environ["EDDY_ROOT"])
BIN = os.environ["EDDY_BIN"]
PAGES = ["README.md", "CONTRIBUTING.md", *("docs/%s.md" % name for name in (
    "CHAOS", "EDDYCTL", "HTTP", "OPERATIONS", "PERFORMANCE", "PROTOCOL", "RESP", "SIMULATOR"))]
NOWHERE = "127.0.0.1:1"
USAGE = 2
# They begin something here, or look at this machine's files, before a node is asked. (With --watch one goes on.)
NOT_RUN = ("backup", "bench", "chaos", "completion", "config", "debug", "demo", "help", "import", "inspect", "man", "shell", "version")
ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("EDDY_")}

FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"^(?:\./dev|(?:\S*/)?(?:eddyctl|eddyd|eddy-sim))$")


def shell_commands(text):
    """The words of each command of a piece of shell, without redirections."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=";|&()<>")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return
    command, skips = [], False
    for word in words + [";"]:
        if skips:
            skips = False
        elif set(word) <= set("<>"):
            skips = True
        elif set(word) <= set(";|&()"):
            if command:
                yield command
            command = []
        else:
            command.append(word)


def ours(command):
    """The part of it that one of our programs gets, with its name; None where none does."""
    while command and re.match(r"^\w+=", command[0]):
        command = command[1:]
    if command and re.match(r"^(docker-compose|docker)$", command[0]) and "eddyctl" in command and "run" in command:
        command = command[command.index("eddyctl"):]
    return command if command and COMMAND.match(command[0]) else None


def commands_of(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    pieces = [line for fence in FENCE.findall(text) for line in re.sub(r"\\\n", " ", fence).splitlines()]
    pieces += [span.replace("\n", " ") for span in SPAN.findall(FENCE.sub("", text)) if " " in span]
    for piece in pieces:
        for command in shell_commands(piece):
            found = ours(command)
            if found and len(found) > 1:
                yield [os.path.basename(found[0]), *found[1:]]


def say(*words):
    return subprocess.run(words, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


class Help:
    """What a program's help says of one of its verbs: options, with whether a value follows, verbs below, and whether there are
    other words."""

    def __init__(self, text):
        self.options = {}
        for names, rest in re.findall(r"^  (-[-\w,]+)(.*)$", text, re.MULTILINE):
            for name in names.split(","):
                self.options[name] = bool(re.match(r" [A-Z\[]|\s\S+\|", rest)) and not rest.startswith("  ")
        subcommands = re.search(r"^Subcommands:\n(.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
        self.verbs = set()
        for names in re.findall(r"^  ([a-z][-a-z, ]*?)(?:  |$)", subcommands.group(1) if subcommands else "", re.MULTILINE):
            self.verbs |= {name.strip() for name in names.split(",")}
        self.words = "Positionals:" in text


@functools.cache
def help_of(program, *verbs):
    if program == "eddyctl" and verbs:
        ended = say(os.path.join(BIN, program), "help", *verbs)
    else:
        ended = say(os.path.join(BIN, program), *verbs, "--help")
    assert ended.returncode == 0, ended
    return Help(ended.stdout)


def wrong_with(program, words, verbs=()):
    """What `program` would not understand of these words; None where there is nothing."""
    general, here = help_of(program), help_of(program, *verbs)
    i = 0
    while i < len(words):
        word = words[i]
        i += 1
        if word == "--":
            return None
        if re.match(r"^-[-a-z]", word):
            name = word.split("=")[0]
            options = {**general.options, **here.options}
            if name not in options:
                return "%s has no option %s" % (" ".join((program, *verbs)), name)
            if options[name] and "=" not in word:
                i += 1
        elif word in here.verbs:
            return wrong_with(program, words[:i - 1] + words[i:], (*verbs, word))
        elif not here.words and word != "...":
            return "%s takes no '%s'" % (" ".join((program, *verbs)), word)
    return None


def without(words, option):
    """Without that option and its value."""
    kept, skips = [], False
    for word in words:
        if skips:
            skips = False
        elif word == option:
            skips = True
        elif not word.startswith(option + "="):
            kept.append(word)
    return kept


class DocCommandsTest(unittest.TestCase):
    def each(self, *programs):
        """Page and command, each command once."""
        seen = {}
        for page in PAGES:
            for command in commands_of(page):
                if command[0] in programs:
                    seen.setdefault(tuple(command), page)
        self.assertGreater(len(seen), 5)
        return [(page, list(command)) for command, page in seen.items()]

    def test_what_eddyctl_is_told_exists(self):
        for page, command in self.each("eddyctl"):
            with self.subTest(page=page, command=shlex.join(command)):
                self.assertIsNone(wrong_with("eddyctl", command[1:]))

    def test_a_command_line_that_eddyctl_would_not_take_is_found(self):
        for text, said in (("eddyctl stattus", "no 'stattus'"), ("eddyctl status --everything", "no option --everything"),
                           ("eddyctl tasks want", "no 'want'"), ("eddyctl cluster leave n1 --yess", "no option --yess"),
                           ("A=b eddyctl get k --all --jsn >file | wc -l", "no option --jsn"),
                           ("docker-compose -f x run --rm eddyctl statsu", "no 'statsu'")):
            (command,) = [found for found in map(ours, shell_commands(text)) if found]
            self.assertIn(said, wrong_with("eddyctl", command[1:]) or "")

    def test_what_goes_to_a_node_is_not_refused_for_how_it_was_typed(self):
        ran = 0
        for page, command in self.each("eddyctl"):
            words = without(command[1:], "--node")
            if not words or words[0] in NOT_RUN or words[0].startswith("-") or "--watch" in words:
                continue
            with self.subTest(page=page, command=shlex.join(command)):
                ended = say(os.path.join(BIN, "eddyctl"), "--node", NOWHERE, "--timeout", "1s", *without(words, "--timeout"))
                self.assertNotEqual(ended.returncode, USAGE, ended)
                ran += 1
        self.assertGreater(ran, 40)

    def test_what_the_other_programs_are_told_exists(self):
        for page, command in self.each("eddyd", "eddy-sim"):
            with self.subTest(page=page, command=shlex.join(command)):
                self.assertIsNone(wrong_with(command[0], command[1:]))

    def test_what_dev_is_told_exists(self):
        usage = say(str(ROOT / "dev"), "help").stdout
        verbs = {}
        for verb, text in re.findall(r"^  ((?:docker )?[a-z]+)\b *(.*(?:\n {10,}.*)*)", usage, re.MULTILINE):
            verbs[verb] = verbs.get(verb, "") + " " + text  # one that has a line for each of its ways
        rest_goes_to = {"sim": ("eddy-sim", ()), "mutants": ("eddy-sim", ()), "chaos": ("eddyctl", ("chaos",))}
        for page, command in self.each("dev"):
            with self.subTest(page=page, command=shlex.join(command)):
                verb = " ".join(command[1:3]) if command[1] == "docker" else command[1]
                if verb in ("help", "test"):  # the options of the latter are ctest's
                    continue
                self.assertIn(verb, verbs)
                options = set(re.findall(r"--[a-z][-a-z]*", verbs[verb] + " --preset"))
                if verb in rest_goes_to:
                    program, below = rest_goes_to[verb]
                    options |= help_of(program, *below).options.keys()
                elif verb == "bench":
                    options |= set(re.findall(r"--[a-z][-a-z]*", (ROOT / "tools/bench.py").read_text(encoding="utf-8")))
                for word in command[2:]:
                    if word.startswith("--"):
                        self.assertIn(word.split("=")[0], options)


if __name__ == "__main__":
    unittest.main(verbosity=2)
