# SPDX-License-Identifier: BSD-2-Clause
"""Run the programs of the experiments, several at a time, and write the report.

usage: reproduce.py --programs DIR --out OUT --length quick|full --jobs N [--mnist DIR] [--fresh]
                    [--doc] PROGRAM...

Of the programs in DIR the first has the machine to itself; then the others, --jobs at a time. For
each there are OUT/PROGRAM (weights, pictures), OUT/PROGRAM.log and OUT/results/PROGRAM.json.
OUT/results/reproduce.json records what was done and how long it took, over all calls: what ended
one, a kill included, costs the seconds since the programs' last checkpoints and no more.

One call at a time works in OUT; each program holds the lock as well, so that the next call waits
for what a killed one has left behind. A signal to this program becomes one Ctrl-C to the others,
which write a checkpoint and end; a second signal ends them at once.
"""
import argparse
import ctypes
import datetime
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import report

SECONDS_BETWEEN_RECORDS = 5
SECONDS_BETWEEN_WORDS = 60
SECONDS_FOR_LOCK = 8


def say(text):
    try:
        print(f"reproduce: {text}", file=sys.stderr, flush=True)
    except OSError:  # the terminal is gone
        pass


class Refused(Exception):
    """Nothing was done; the reason."""


# ---- the record of what was done ----

def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def machine():
    name = "unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.split(":", 1)[1].strip() for line in file
                         if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} processors"


class Record:
    """OUT/results/reproduce.json: the settings, the calls, the programs begun."""

    def __init__(self, out):
        self.path = os.path.join(out, "results", "reproduce.json")
        self.document = None
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.document = json.load(file)

    def open(self, options):
        settings = {"length": options.length, "mnist": bool(options.mnist)}
        if self.document is None:
            self.document = {"date": now(), **settings, "seconds": 0, "calls": [], "programs": {}}
        have = {name: self.document[name] for name in settings}
        if have != settings:
            made = f"--{have['length']} {'with' if have['mnist'] else 'without'} --mnist"
            raise Refused(f"{options.out} was made by {made}: call it so, choose another --out, or "
                          "say --fresh to forget what is there")
        self.before = self.document["seconds"]
        self.started = time.monotonic()
        self.call = {"date": now(), "machine": machine(), "jobs": options.jobs, "seconds": 0}
        self.document["calls"].append(self.call)

    def write(self):
        self.call["seconds"] = round(time.monotonic() - self.started, 1)
        self.document["seconds"] = round(self.before + self.call["seconds"], 1)
        with open(self.path + ".part", "w", encoding="utf-8") as file:
            json.dump(self.document, file, indent=1)
        os.replace(self.path + ".part", self.path)

    def programs(self):
        return self.document["programs"] if self.document else {}

    def is_done(self, program):
        return self.programs().get(program, {}).get("status") == 0


def forget(out, record):
    """--fresh: what the record says was made here, and nothing else."""
    for program in record.programs():
        shutil.rmtree(os.path.join(out, program), ignore_errors=True)
        for file in (f"{program}.log", f"results/{program}.json"):
            if os.path.exists(os.path.join(out, file)):
                os.remove(os.path.join(out, file))
    if record.document:
        os.remove(record.path)
    record.document = None


def check_foreign(out, programs, record):
    for program in programs:
        if program not in record.programs() and os.path.exists(os.path.join(out, program)):
            raise Refused(f"{out}/{program} is there, but no call of this has made it: move it "
                          "away, or choose another --out")


def lock(out):
    """Held until this process and the programs it starts have ended, however they end."""
    file = open(os.path.join(out, "lock"), "a", encoding="utf-8")
    deadline = time.monotonic() + SECONDS_FOR_LOCK
    waiting = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Refused(f"another call, or a program that one has left, works in {out}; "
                              "this one can begin when it has ended") from None
        if not waiting:
            say(f"waiting for what works in {out}")
        waiting = True
        time.sleep(0.2)


# ---- programs ----

def of_its_own():
    """In the child: out of reach of the terminal's Ctrl-C, which we pass on, once; and ended as if
    by Ctrl-C when we are killed (Linux has this; elsewhere it works on, and the lock tells so)."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGINT)


def last_line(path):
    """Of a log, what stands there last; a progress bar begins its line anew."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 2000))
        lines = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
    lines = [" ".join(line.split()) for line in lines if line.strip()]
    return lines[-1] if lines else ""


class Program:
    """One that runs."""

    def __init__(self, name, options, is_alone, held):
        self.name = name
        self.path = os.path.join(options.programs, name)
        self.log = os.path.join(options.out, name + ".log")
        self.results = os.path.join(options.out, "results", name + ".json")
        self.started = time.monotonic()
        self.log_size = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.path] + self.arguments(options, is_alone), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, pass_fds=[held.fileno()], preexec_fn=of_its_own)

    def arguments(self, options, is_alone):
        """Not every program has every option; --help tells."""
        known = subprocess.run([self.path, "--help"], stdout=subprocess.PIPE, check=False,
                               stdin=subprocess.DEVNULL, encoding="utf-8").stdout
        words = ["--out", os.path.join(options.out, self.name), "--json", self.results]
        if options.length == "quick":
            words.append("--quick")
        if "--threads" in known and not is_alone:
            words += ["--threads", "1"]
        if "--resume" in known:
            words.append("--resume")
        if "--mnist" in known and options.mnist:
            words += ["--mnist", options.mnist]
        return words

    def seconds(self):
        return time.monotonic() - self.started

    def said(self):
        return last_line(self.log) if os.path.getsize(self.log) > self.log_size else ""

    def at(self):
        """How many runs are in its results, and what it said last."""
        try:
            with open(self.results, encoding="utf-8") as file:
                done = file.read().count('"stopped":')
        except OSError:
            done = 0
        return f"{self.name}: {done} run{'s' if done != 1 else ''} done; {self.said()}".strip("; ")


class Work:
    """The programs still to do, and those that run."""

    def __init__(self, options, record, held):
        self.options, self.record, self.held = options, record, held
        self.alone = options.names[0]
        self.waiting = [name for name in options.names if not record.is_done(name)]
        self.running = []
        self.signal = None
        self.failed = []

    def on_signal(self, number, _):
        self.signal = number
        for program in self.running:
            program.process.send_signal(signal.SIGINT)

    def start(self):
        """As many as may run at once; the one to be timed alone."""
        while (self.waiting and len(self.running) < self.options.jobs and self.signal is None and
               not any(program.name == self.alone for program in self.running) and
               not (self.waiting[0] == self.alone and self.running)):
            name = self.waiting.pop(0)
            entry = self.record.programs().setdefault(name, {"seconds": 0})
            entry["status"] = None
            self.record.write()
            try:
                program = Program(name, self.options, name == self.alone, self.held)
            except OSError as error:
                self.fail(name, entry, 127, str(error))
                continue
            program.entry, program.before = entry, entry["seconds"]
            self.running.append(program)
            say(f"{name}: see {program.log}")
            if self.signal is not None:  # while it was started
                program.process.send_signal(signal.SIGINT)

    def fail(self, name, entry, status, said):
        entry["status"] = status
        self.failed.append(name)
        self.record.write()
        say(f"{name}: ended with status {status}: {said}")

    def collect(self):
        for program in list(self.running):
            program.entry["seconds"] = round(program.before + program.seconds(), 1)
            status = program.process.poll()
            if status is None:
                continue
            self.running.remove(program)
            if status == 0:
                program.entry["status"] = 0
                say(f"{program.name}: done, {program.entry['seconds'] / 60:.1f} min")
            elif self.signal is None:
                self.fail(program.name, program.entry, status, program.said())
            self.record.write()

    def tell(self):
        for program in self.running:
            say(f"{self.record.document['seconds'] / 60:.0f} min, {program.at()}")

    def do(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        recorded = told = time.monotonic()
        while self.running or (self.waiting and self.signal is None):
            self.start()
            time.sleep(0.1)
            self.collect()  # and record, where one has ended
            if time.monotonic() - recorded > SECONDS_BETWEEN_RECORDS:
                recorded = time.monotonic()
                self.record.write()
            if time.monotonic() - told > SECONDS_BETWEEN_WORDS:
                told = time.monotonic()
                self.tell()


# ---- all of it ----

def read_options():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--length", choices=["quick", "full"], required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--mnist", default="")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--doc", action="store_true")
    parser.add_argument("names", nargs="+", metavar="PROGRAM")
    return parser.parse_args()


def run_all(options):
    os.makedirs(os.path.join(options.out, "results"), exist_ok=True)
    held = lock(options.out)
    record = Record(options.out)
    if options.fresh:
        forget(options.out, record)
    check_foreign(options.out, options.names, record)
    record.open(options)
    work = Work(options, record, held)
    work.do()
    if work.signal is not None:
        say("interrupted; the same command goes on from there")
        return 128 + work.signal
    if work.failed:
        say(f"failed: {', '.join(work.failed)}; the same command tries again"
            + (", doc/ is left alone" if options.doc else ""))
    report.write(options.out, is_for_doc=options.doc and not work.failed)
    return 1 if work.failed else 0


def main():
    options = read_options()
    try:
        return run_all(options)
    except Refused as reason:
        say(str(reason))
        return 1


if __name__ == "__main__":
    sys.exit(main())
