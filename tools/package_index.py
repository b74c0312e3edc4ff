#!/usr/bin/env python3
"""The Debian package index of this machine as JSON Lines for `eddyctl import`.

usage: package_index.py [--bucket NAME] [--limit COUNT] > packages.jsonl

One line a package: the key is its name, the value its whole stanza as apt prints it. Some 60,000 real keys of 100 bytes
to 10 KiB where apt's lists are there (`apt-get update` brings them), and else the packages that are installed.
"""

import argparse
import base64
import json
import subprocess
import sys


def available():
    """What `apt-cache dumpavail` prints, or nothing."""
    try:
        return subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    except FileNotFoundError:
        return b""


def installed():
    with open("/var/lib/dpkg/status", "rb") as status:
        return status.read()


def stanzas(text):
    """Package name -> stanza, both bytes. Of a package that is there in several versions, the last."""
    packages = {}
    for stanza in text.split(b"\n\n"):
        stanza = stanza.strip(b"\n")
        if not stanza:
            continue
        name, _, value = stanza.split(b"\n", 1)[0].partition(b": ")
        if name != b"Package" or not value:
            raise ValueError("a stanza does not begin with its package: %r" % stanza[:80])
        packages[value] = stanza + b"\n"
    return packages


def packages():
    """What is available where that is more than what is installed."""
    return max(stanzas(available()), stanzas(installed()), key=len)


def member(name, value):
    """`value` as text, or in Base64 where it is none."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {name + "_base64": base64.b64encode(value).decode()}


def line(bucket, key, value):
    return json.dumps({"bucket": bucket, **member("key", key), **member("value", value)}, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description="The Debian package index as JSON Lines for eddyctl import.")
    parser.add_argument("--bucket", default="packages")
    parser.add_argument("--limit", type=int, help="at most so many packages")
    options = parser.parse_args()
    for key, value in list(packages().items())[: options.limit]:
        sys.stdout.buffer.write(line(options.bucket, key, value).encode() + b"\n")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)
