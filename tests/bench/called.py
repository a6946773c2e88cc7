"""Called: which functions of the image's binary a running agent calls, as valgrind sees it.

called.py --program FILE --folder FOLDER --list FILE; FILE is a binary with symbols.
"""

import argparse
import http.client
import pathlib
import re
import subprocess
import time
import urllib.request

import broken
from measure import PORT, Bench
from world import BROKEN, host

# Reads what people and Prometheus read.
PATHS = ["/", "/?open=one", "/metrics", "/api/v1/targets", "/api/v1/targets/one", "/api/v1/summary",
         "/healthz", "/readyz"]
OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}


def main():
    parser = argparse.ArgumentParser()
    for name in "program", "folder", "list":
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    args = parser.parse_args()
    bench = Bench(args.program.parent, args.folder, 0)
    bench.agent_program = args.program
    counted = args.folder / "calls"
    valgrind = ["valgrind", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={counted}"]
    # Healthy targets and all kinds that fail, asked over HTTP, by two resolvers. Long lists are sorted by other functions
    # than short ones, so there are a thousand, most of them seldom: under valgrind an agent takes a second for 30 probes.
    targets = "".join(f"- {{host: {host(number)}}}\n" for number in range(20))
    targets += "".join(f"- {{host: {host(number)}, interval: 10m}}\n" for number in range(21, BROKEN))
    targets += f"- {{host: {host(20)}, name: one}}\n" + broken.targets(len(broken.KINDS))
    configuration = bench.configuration_of(targets, resolvers=broken.RESOLVERS)
    process = bench.agent(configuration, *valgrind)
    for _ in range(4):
        time.sleep(15)
        for path in PATHS:
            for headers in {}, OPEN_METRICS:
                read(path, headers)
        # A change that the agent refuses, and says why; then one that it takes over. It looks after 8 s at most.
        changed = configuration.read_text() + f"- {{host: {host(BROKEN)}, name: late-{time.time_ns()}}}\n"
        configuration.write_text(changed + "unknown: 1\n")
        time.sleep(10)
        configuration.write_text(changed)
    process.stop()
    bench.world.stop()
    symbols = set(re.findall(r"^c?fn=\(\d+\) ([A-Za-z_][^\s']*)", counted.read_text(), re.MULTILINE))
    # What LLVM adds to a symbol differs from build to build, and image/link compares readable names.
    symbols = "\n".join(symbol.partition(".llvm.")[0] for symbol in symbols)
    names = set(subprocess.run(["c++filt"], input=symbols, check=True, capture_output=True, text=True).stdout.splitlines())
    args.list.write_text("\n".join(sorted(names)) + "\n")
    print(f"{len(names)} functions")


def read(path, headers):
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers=headers), timeout=60).read()
    except (urllib.error.HTTPError, http.client.IncompleteRead) as error:
        # Under valgrind a page of a thousand targets may take longer than a reader may.
        print(f"{path}: {error}")


if __name__ == "__main__":
    main()
