"""Process: what a running program took, from /proc."""

import pathlib


class Process:
    def __init__(self, child):
        self.child = child
        self.proc = pathlib.Path("/proc") / str(child.pid)

    def cpu(self):
        """Seconds on a CPU so far, of all threads."""
        stats = [(task / "schedstat").read_text() for task in (self.proc / "task").iterdir()]
        return sum(int(stat.split()[0]) for stat in stats) / 1e9

    def memory(self):
        """Resident now, and at most so far, in KiB."""
        fields = dict(line.split(":", 1) for line in (self.proc / "status").read_text().splitlines())
        return tuple(int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))

    def forget_peak(self):
        """From here on, the peak is counted anew (proc_pid_clear_refs(5))."""
        (self.proc / "clear_refs").write_text("5")

    def wakeups(self):
        """How often its threads waited and went on, so far."""
        total = 0
        for task in (self.proc / "task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
        return total

    def stop(self):
        self.child.terminate()
        return self.child.wait(10)
