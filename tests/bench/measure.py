"""Measure: takes every figure in rounds, one program after the other in each, and writes them as JSON."""

import argparse
import asyncio
import http.client
import json
import os
import pathlib
import platform
import subprocess
import time

from process import Process
import broken
from world import BROKEN, World, host

PORT = 9797
# The interval of most measures, in seconds. A new program first gets as long, and some seconds more.
INTERVAL = 5


class Bench:
    def __init__(self, programs, folder, seconds):
        self.agent_program = pathlib.Path(programs) / "privatelink-prober"
        self.floor_program = pathlib.Path(programs) / "floor"
        self.seconds = seconds
        self.world = World(folder)

    # The agent.

    def configuration(self, hosts, interval=INTERVAL, more="", of_target=""):
        targets = "".join(f"- {{host: {name}{of_target}}}\n" for name in hosts)
        return self.configuration_of(targets, interval, more)

    def configuration_of(self, targets, interval=INTERVAL, more="", resolvers=""):
        return self.world.write("config.yaml", (
            f"interval: {interval}s\ntimeout: 3s\nlimits: {{maxTargets: 6000, maxDnsQps: 10000}}\n"
            "classify: {private: [127.0.1.0/24, 127.0.3.0/24], public: [127.0.2.0/24]}\n"
            f"resolvers: [{{name: pod, servers: ['127.0.0.1']}}{resolvers}]\n"
            f"tls: {{caFiles: [{self.world.ca}]}}\n{more}targets:\n{targets}"))

    def agent(self, configuration, *before):
        child = self.world.start(*before, self.agent_program, "run", "--config", configuration,
                                 "--listen", f"127.0.0.1:{PORT}", "--node-name", "bench")
        wait_until_listening()
        return Process(child)

    def agent_probes(self, count):
        return self.probes_of(self.configuration(map(host, range(count)), of_target=", http: false"))

    def probes_of(self, configuration):
        """CPU and more of an agent."""
        process = self.agent(configuration)
        time.sleep(INTERVAL + 4)
        before, cpu = samples(), process.cpu()
        time.sleep(self.seconds)
        cpu, after = process.cpu() - cpu, samples()
        probes = total(after, "privatelink_probes_total") - total(before, "privatelink_probes_total")
        failed = total(after, "privatelink_probe_failures_total") - total(before, "privatelink_probe_failures_total")
        found = {"cpu_per_1000_probes_s": cpu / probes * 1000, "probes": probes, "failed": failed,
                 "skipped": total(after, "privatelink_probes_skipped_total"), "tls_ms": stage(before, after, "tls"),
                 "reasons": reasons(after)}
        background = cpu / self.seconds
        began, cpu = time.monotonic(), process.cpu()
        for _ in range(10):
            get("/metrics")
        elapsed = time.monotonic() - began
        found["scrape_cpu_ms"] = max(0, process.cpu() - cpu - background * elapsed) * 100
        found["rss_kib"], found["peak_kib"] = process.memory()
        process.stop()
        return found

    def agent_idle(self):
        process = self.agent(self.configuration(map(host, range(10)), interval=30, of_target=", http: false"))
        # The first round takes 15 s.
        time.sleep(17)
        wakeups, cpu = process.wakeups(), process.cpu()
        time.sleep(30)
        found = {"wakeups_per_s": (process.wakeups() - wakeups) / 30, "cpu_ms_per_s": (process.cpu() - cpu) * 1000 / 30}
        process.stop()
        return found

    def agent_5000_on_one_core(self):
        hosts = map(host, range(5000))
        process = self.agent(self.configuration(hosts, interval=30, of_target=", http: false"), "taskset", "-c", "0")
        cpu_at_start = process.cpu()
        time.sleep(30 + self.seconds)
        process.forget_peak()
        rss, _ = process.memory()
        gathered = samples()
        _, peak = process.memory()
        found = {"start_cpu_s": cpu_at_start, "skipped": total(gathered, "privatelink_probes_skipped_total"),
                 "probes": total(gathered, "privatelink_probes_total"), "rss_kib": rss, "peak_kib": peak}
        process.stop()
        return found

    def agent_failing(self):
        """Targets of which each kind fails for another reason."""
        targets = broken.targets(BROKEN)
        return self.probes_of(self.configuration_of(targets, resolvers=broken.RESOLVERS))

    def agent_asking(self):
        """Every target is asked over HTTP, once a minute."""
        hosts = [host(number) for number in range(200)]
        process = self.agent(self.configuration(hosts, more="httpInterval: 1m\n"))
        time.sleep(INTERVAL + 1)
        before, cpu = samples(), process.cpu()
        time.sleep(60)
        cpu, after = process.cpu() - cpu, samples()
        probes = total(after, "privatelink_probes_total") - total(before, "privatelink_probes_total")
        process.stop()
        return {"cpu_per_1000_probes_s": cpu / probes * 1000, "probes": probes}

    def check(self):
        """What `check` adds to the time of its probe; and 100 targets from the start to the last verdict."""
        command = [str(self.agent_program), "check", "--config", str(self.configuration([host(1)], of_target=", http: false"))]
        overheads = []
        for _ in range(10):
            began = time.monotonic()
            output = subprocess.run([*command, "-o", "json"], check=False, capture_output=True)
            elapsed = time.monotonic() - began
            report = json.loads(output.stdout)["targets"][0]
            overheads.append((elapsed - report["durationSeconds"]) * 1000)
        self.configuration(map(host, range(100)), of_target=", http: false")
        began = time.monotonic()
        subprocess.run([*command, "-o", "short"], check=True, capture_output=True)
        return {"overhead_ms": sorted(overheads)[5], "hundred_s": time.monotonic() - began}

    # The others.

    def floor_probes(self, count):
        targets = self.world.write("targets", "\n".join(map(host, range(count))) + "\n")
        run = 2 * INTERVAL + self.seconds
        child = self.world.start(self.floor_program, "127.0.0.1:53", self.world.ca, targets, "443", INTERVAL, run,
                                 stdout=subprocess.PIPE, text=True)
        process = Process(child)
        time.sleep(INTERVAL + 4)
        cpu = process.cpu()
        time.sleep(self.seconds)
        cpu = process.cpu() - cpu
        rss, peak = process.memory()
        passed, failed, tls_ms = child.communicate(timeout=60)[0].split()
        rate = count / INTERVAL
        assert int(failed) == 0 and int(passed) > 0.9 * rate * run, (passed, failed)
        return {"cpu_per_1000_probes_s": cpu / (rate * self.seconds) * 1000, "tls_ms": float(tls_ms),
                "rss_kib": rss, "peak_kib": peak}

    def blackbox_probes(self, count):
        configuration = self.world.write("blackbox.yml", json.dumps({"modules": {"tls": {
            "prober": "tcp", "timeout": "3s",
            "tcp": {"tls": True, "preferred_ip_protocol": "ip4", "tls_config": {"ca_file": str(self.world.ca)}}}}}))
        child = self.world.start("blackbox_exporter", f"--config.file={configuration}",
                                 f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=error")
        wait_until_listening()
        process = Process(child)
        measured = {}

        async def measure():
            asking = asyncio.create_task(ask_blackbox(count, 2 * INTERVAL + self.seconds, measured))
            await asyncio.sleep(INTERVAL + 4)
            cpu, probes = process.cpu(), measured.get("probes", 0)
            await asyncio.sleep(self.seconds)
            measured["cpu_per_1000_probes_s"] = (process.cpu() - cpu) / (measured["probes"] - probes) * 1000
            await asyncio.wait_for(asking, 30)

        asyncio.run(measure())
        assert measured["failed"] == 0, measured
        for _ in range(3):
            get("/metrics")
        measured["rss_kib"], measured["peak_kib"] = process.memory()
        process.stop()
        return measured


async def ask_blackbox(count, seconds, measured):
    """Has `count` targets probed at every interval, evenly spread, as Prometheus does: over connections that stay."""
    loop = asyncio.get_running_loop()
    measured.update(probes=0, failed=0)
    free = []

    async def probe(number):
        reader, writer = free.pop() if free else await asyncio.open_connection("127.0.0.1", PORT)
        target = f"{host(number)}:443"
        writer.write(f"GET /probe?target={target}&module=tls HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        else:
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        free.append((reader, writer))
        measured["probes"] += 1
        measured["failed"] += b"\nprobe_success 1\n" not in body

    began, tasks, number = loop.time(), set(), 0
    while (at := began + number * INTERVAL / count) < began + seconds:
        await asyncio.sleep(max(0, at - loop.time()))
        task = asyncio.create_task(probe(number % count))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        number += 1
    await asyncio.gather(*tasks)


def get(path):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body.decode()


def samples():
    lines = [line for line in get("/metrics").splitlines() if line and not line.startswith("#")]
    return [(series, float(value)) for series, value in (line.rsplit(" ", 1) for line in lines)]


def total(gathered, name):
    return sum(value for series, value in gathered if series.split("{")[0] == name)


def reasons(gathered):
    """How many targets have each reason."""
    found = {}
    for series, _ in gathered:
        if series.startswith("privatelink_probe_reason{"):
            reason = series.split('reason="')[1].split('"')[0]
            found[reason] = found.get(reason, 0) + 1
    return found


def stage(before, after, name):
    """The mean duration of a stage between two scrapes, in milliseconds."""
    def of(gathered, end):
        wanted = f"privatelink_probe_stage_duration_seconds_{end}"
        return sum(v for series, v in gathered if series.startswith(wanted) and f'stage="{name}"' in series)

    count = of(after, "count") - of(before, "count")
    return (of(after, "sum") - of(before, "sum")) * 1000 / count if count else None


def wait_until_listening():
    for _ in range(300):
        try:
            get("/metrics")
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("a program does not listen")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--result", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20)
    args = parser.parse_args()
    bench = Bench(args.programs, args.folder, args.seconds)
    measures = {
        "blackbox, 1,000 targets": lambda: bench.blackbox_probes(1000),
        "agent, 1,000 targets": lambda: bench.agent_probes(1000),
        "floor, 1,000 targets": lambda: bench.floor_probes(1000),
        "agent, 50 targets": lambda: bench.agent_probes(50),
        "agent, 1,000 that fail": bench.agent_failing,
        "agent, 200 that are asked": bench.agent_asking,
        "agent, 10 targets every 30 s": bench.agent_idle,
        "agent, 5,000 targets on one core": bench.agent_5000_on_one_core,
        "check": bench.check,
    }
    rounds = []
    for number in range(args.rounds):
        found = {}
        for name, measure in measures.items():
            began = time.monotonic()
            found[name] = measure()
            print(f"round {number + 1}, {name} ({time.monotonic() - began:.0f} s): {found[name]}", flush=True)
        rounds.append(found)
    bench.world.stop()
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    result = {"machine": {"cpu": model[0] if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()},
              "seconds": args.seconds, "rounds": rounds}
    pathlib.Path(args.result).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
