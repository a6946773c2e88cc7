"""Report: the table of docs/performance.md and its charts, from the result of a bench.

report.py RESULT DOCUMENT FOLDER
"""

import json
import pathlib
import statistics
import sys

BEGIN, END = "<!-- tests/bench/report.py writes from here -->", "<!-- to here -->"
BLACKBOX, AGENT, FLOOR = "blackbox, 1,000 targets", "agent, 1,000 targets", "floor, 1,000 targets"
FAILING = "agent, 1,000 that fail"
CPU = "cpu_per_1000_probes_s"


def main():
    result, document, folder = map(pathlib.Path, sys.argv[1:])
    result = json.loads(result.read_text())
    rounds = result["rounds"]

    def values(of, key, scale=1.0):
        return [one[of][key] * scale for one in rounds]

    def ratios(of, to, key):
        return [one[of][key] / one[to][key] for one in rounds]

    growth = [(one[AGENT]["rss_kib"] - one["agent, 50 targets"]["rss_kib"]) / 950 for one in rounds]
    tls = [abs(one[AGENT]["tls_ms"] - one[FLOOR]["tls_ms"]) for one in rounds]
    mib = 1 / 1024
    idle, large = "agent, 10 targets every 30 s", "agent, 5,000 targets on one core"
    during = [(one[large]["peak_kib"] - one[large]["rss_kib"]) * mib for one in rounds]
    # What, its values in each round, and the goal.
    rows = [
        ("CPU of 1,000 probes, blackbox_exporter, s", values(BLACKBOX, CPU), None),
        ("CPU of 1,000 probes, agent, s", values(AGENT, CPU), None),
        ("CPU of 1,000 probes, floor, s", values(FLOOR, CPU), None),
        ("agent to blackbox_exporter", ratios(AGENT, BLACKBOX, CPU), 0.28),
        ("agent to floor", ratios(AGENT, FLOOR, CPU), 1.2),
        ("CPU of 1,000 probes that fail, agent, s", values(FAILING, CPU), None),
        ("resident, 1,000 targets that fail, agent, MiB", values(FAILING, "rss_kib", mib), None),
        ("CPU of 1,000 probes with a request a minute, agent, s", values("agent, 200 that are asked", CPU), None),
        ("resident after scrapes, 1,000 targets, blackbox_exporter, MiB", values(BLACKBOX, "rss_kib", mib), None),
        ("resident after scrapes, 1,000 targets, agent, MiB", values(AGENT, "rss_kib", mib), 11),
        ("peak, 1,000 targets, agent, MiB", values(AGENT, "peak_kib", mib), 12),
        ("resident, 1,000 targets, floor, MiB", values(FLOOR, "rss_kib", mib), None),
        ("resident, 50 targets, agent, MiB", values("agent, 50 targets", "rss_kib", mib), 8),
        ("growth per target, agent, KiB", growth, 3),
        ("CPU of a scrape of 1,000 targets, agent, ms", values(AGENT, "scrape_cpu_ms"), 6),
        ("handshake: agent's mean against the floor's, ms", tls, 0.5),
        ("wake-ups a second, 10 targets every 30 s", values(idle, "wakeups_per_s"), 2),
        ("probes skipped, 5,000 targets every 30 s on one core", values(large, "skipped"), 0),
        ("CPU until it listens, 5,000 targets, s", values(large, "start_cpu_s"), 0.3),
        ("more memory during a scrape of 5,000 targets, MiB", during, 1),
        ("what `check` adds to its probe, ms", values("check", "overhead_ms"), 5),
        ("`check` of 100 targets, from the start to the last verdict, s", values("check", "hundred_s"), None),
    ]
    machine = result["machine"]
    reasons = max((one[FAILING]["reasons"] for one in rounds), key=len)
    failing = ", ".join(f"`{reason}` {count}" for reason, count in sorted(reasons.items()))
    text = [f"{len(rounds)} rounds of {result['seconds']} s each on {machine['cores']} cores ({machine['cpu']}), "
            f"Linux {machine['kernel']}.", "", "| what | median | least to most | goal | |", "|---|---|---|---|---|"]
    for what, all_values, goal in rows:
        median = statistics.median(all_values)
        met = "" if goal is None else "met" if median <= goal else "**missed**"
        spread = f"{show(min(all_values))} to {show(max(all_values))}"
        text.append(f"| {what} | {show(median)} | {spread} | {'' if goal is None else f'≤ {goal}'} | {met} |")
    text += ["", f"The targets that fail, by reason: {failing}."]
    text += ["", "![CPU of 1,000 probes](performance/cpu.svg)", "", "![Memory at 1,000 targets](performance/memory.svg)"]
    before, rest = document.read_text().split(BEGIN)
    document.write_text(f"{before}{BEGIN}\n" + "\n".join(text) + f"\n{END}{rest.split(END)[1]}")

    folder.mkdir(exist_ok=True)
    names = {"blackbox_exporter": BLACKBOX, "agent": AGENT, "floor": FLOOR}
    chart(folder / "cpu.svg", "CPU of 1,000 probes, seconds", {name: values(of, CPU) for name, of in names.items()})
    memory = {name: values(of, "rss_kib", mib) for name, of in names.items()}
    chart(folder / "memory.svg", "Resident memory at 1,000 targets, MiB", memory)


def show(value):
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def chart(path, title, bars):
    """Horizontal bars of the medians; a line in each from the least to the most."""
    longest = max(max(values) for values in bars.values())
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{40 * len(bars) + 40}" '
             'font-family="sans-serif" font-size="14">', f'<text x="10" y="22" font-weight="bold">{title}</text>']
    for place, (name, values) in enumerate(bars.items()):
        y, (least, median, most) = 40 * place + 40, (min(values), statistics.median(values), max(values))
        x = [round(160 + 400 * value / longest) for value in (least, median, most)]
        lines += [f'<text x="10" y="{y + 17}">{name}</text>',
                  f'<rect x="160" y="{y}" width="{x[1] - 160}" height="24" fill="{"#3a7bd5" if name == "agent" else "#9aa5b1"}"/>',
                  f'<path d="M{x[0]} {y + 12}H{x[2]}" stroke="#222" stroke-width="2"/>',
                  f'<text x="{max(x) + 8}" y="{y + 17}">{show(median)}</text>']
    path.write_text("\n".join([*lines, "</svg>"]) + "\n")


if __name__ == "__main__":
    main()
