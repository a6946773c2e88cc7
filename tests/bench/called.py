"""Called: which functions of the image's binary a running agent calls, as valgrind sees it.

called.py --program FILE --folder FOLDER --list FILE; FILE is a binary with symbols.
"""

import argparse
import pathlib
import re
import time
import urllib.request

import broken
from measure import PORT, Bench
from world import BROKEN, host

# Reads what people and Prometheus read.
PATHS = ["/", "/?open=one", "/style.css", "/metrics", "/api/v1/targets", "/api/v1/targets/one", "/api/v1/summary",
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
    # Healthy targets and all kinds that fail, asked over HTTP, by two resolvers.
    targets = "".join(f"- {{host: {host(number)}}}\n" for number in range(20))
    targets += f"- {{host: {host(20)}, name: one}}\n" + broken.targets(len(broken.KINDS))
    configuration = bench.configuration_of(targets, resolvers=broken.RESOLVERS)
    process = bench.agent(configuration, *valgrind)
    for _ in range(4):
        time.sleep(15)
        for path in PATHS:
            for headers in {}, OPEN_METRICS:
                read(path, headers)
        # A change, which the agent reads.
        configuration.write_text(configuration.read_text() + f"- {{host: {host(BROKEN)}, name: late-{time.time_ns()}}}\n")
    process.stop()
    bench.world.stop()
    names = re.findall(r"^c?fn=\(\d+\) (\S+)", counted.read_text(), re.MULTILINE)
    names = {re.sub(r"17h[0-9a-f]{16}E.*", "E", name.split("'")[0]) for name in names}
    args.list.write_text("\n".join(sorted(name for name in names if re.match(r"[A-Za-z_]", name))) + "\n")
    print(f"{len(names)} functions")


def read(path, headers):
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers=headers), timeout=60).read()
    except urllib.error.HTTPError as error:
        print(f"{path}: {error.code}")


if __name__ == "__main__":
    main()
