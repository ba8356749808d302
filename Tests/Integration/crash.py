#!/usr/bin/env python3
"""Kills the server with SIGKILL at random moments while tasks are posted and predictions run, and checks what is left.

After each restart: every task that was acknowledged is there with its examples and goes live; every task whose
deletion was acknowledged is gone; predictions equal those before the kill; PRAGMA integrity_check is clean.

    crash.py --kills 200 [--seed 1] [--json]
"""

import argparse
import http.client
import json
import pathlib
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time

from harness import Server, patch, progress

# The classes are cut from a wheel of colours, so that a prediction has something to tell apart.
PROBES = 6


class Teacher(threading.Thread):
    """Posts tasks, adds examples and deletes tasks until the server is gone; remembers what was acknowledged."""

    def __init__(self, server, ledger, source, number):
        super().__init__(daemon=True)
        self.server, self.ledger, self.source, self.number = server, ledger, source, number

    def run(self):
        count = 0
        try:
            while True:
                count += 1
                choice = self.source.random()
                names = sorted(self.ledger)
                if choice < 0.2 and len(names) > 3:
                    self.delete(self.source.choice(names))
                else:
                    self.create(f"t{self.number}-{count}")
                time.sleep(self.source.random() * 0.05)
        except (OSError, http.client.HTTPException):
            return  # the server was killed

    def create(self, name):
        colour = tuple(self.source.randrange(20, 236) for _ in range(3))
        count = self.source.randrange(3, 6)
        examples = [(name, patch(colour, self.source, size=24)) for _ in range(count)]
        self.ledger[name] = {"state": "asked", "examples": count, "id": None}
        answer = self.server.teach(examples, name=name, form=self.source.choice(["tar", "json", "zip"]), holdout=0)
        if answer.status == 202:
            self.ledger[name].update(state="accepted", id=answer.json()["id"])
        elif answer.status == 503:
            del self.ledger[name]
        else:
            raise AssertionError(f"POST /tasks: {answer}")

    def delete(self, name):
        entry = self.ledger[name]
        if entry["state"] != "accepted":
            return
        entry["state"] = "deleting"
        answer = self.server.delete(f"/tasks/{entry['id']}")
        if answer.status in (200, 202, 204):
            entry["state"] = "deleted"
        elif answer.status in (409, 503):
            entry["state"] = "accepted"
        else:
            raise AssertionError(f"DELETE /tasks/{entry['id']}: {answer}")


class Asker(threading.Thread):
    """Asks about the probes until the server is gone; every answer must be whole and of one version."""

    def __init__(self, server, probes):
        super().__init__(daemon=True)
        self.server, self.probes, self.answers, self.fault = server, probes, 0, None

    def run(self):
        try:
            while True:
                answer = self.server.predict(self.probes[self.answers % PROBES])
                if answer.status not in (200, 503):
                    self.fault = answer
                    return
                self.answers += 1
        except (OSError, http.client.HTTPException):
            return


def settle(server, ledger, failures):
    """Waits until the accepted tasks are live; drops what never was acknowledged; returns the ids found."""
    for entry in ledger.values():
        if entry["state"] == "accepted":
            server.wait_ready(entry["id"], timeout=60)
    listed = {task["name"]: task for task in server.get("/tasks").json()["tasks"]}
    for name in list(ledger):
        entry, task = ledger[name], listed.pop(name, None)
        if entry["state"] == "accepted":
            if task is None:
                failures.append(f"{name} was acknowledged and is gone")
            elif task["id"] != entry["id"] or not task["serving"] or task["state"] != "ready":
                failures.append(f"{name} is not as acknowledged: {task}")
            elif sum(c["examples"] for c in task["classes"]) != entry["examples"]:
                failures.append(f"{name} has {task['classes']}, not {entry['examples']} examples")
        elif entry["state"] == "deleted" and task is not None:
            failures.append(f"{name}: its deletion was acknowledged and it is there")
        # A request that got no answer may have been done or not; either way it is done wholly.
        if entry["state"] in ("asked", "deleting") and task is not None:
            task = server.wait_ready(task["id"], timeout=60)
            if sum(c["examples"] for c in task["classes"]) != entry["examples"]:
                failures.append(f"{name} is half there: {task}")
            ledger[name] = {"state": "accepted", "examples": entry["examples"], "id": task["id"]}
        elif entry["state"] != "accepted":
            del ledger[name]
    failures += [f"{name} is there and was never asked for" for name in listed]


def snapshot(server, probes):
    """All scores of the probes, or None before the first class; once the work that a deletion leaves behind is done."""
    seen = None
    while True:
        pending = re.search(rb"^clserver_jobs_pending (\S+)$", server.get("/metrics").body, re.M)
        versions = server.get("/versions").json()["versions"]
        state = (float(pending[1]) if pending else 0, versions[0]["id"] if versions else None)
        if state == seen and state[0] == 0:
            break
        seen = state
        time.sleep(0.25)
    found = []
    for probe in probes:
        answer = server.predict(probe, top_k=10000)
        if answer.status == 503:
            return None
        assert answer.status == 200, answer
        found.append({entry["label"]: entry["confidence"] for entry in answer.json()["top"]})
    return found


def differences(before, after):
    if before is None or after is None:
        return [] if before == after else ["one of two has no classes"]
    found = []
    for a, b in zip(before, after):
        if set(a) != set(b):
            found.append(f"classes {sorted(set(a) ^ set(b))}")
        elif worst := [label for label in a if abs(a[label] - b[label]) > 1e-4]:
            found.append(f"confidence of {worst[0]}: {a[worst[0]]} and {b[worst[0]]}")
    return found


def check_database(state, failures):
    """Checks a copy, so that what the server finds is what the kill left."""
    files = [p for p in state.iterdir() if p.is_file()]
    main = next((p for p in files if p.read_bytes()[:16] == b"SQLite format 3\0"), None)
    if main is None:
        failures.append("no database was found")
        return
    with tempfile.TemporaryDirectory(prefix="clserver-check-") as copy:
        for path in files:
            if path.name in (main.name, main.name + "-wal"):
                shutil.copy(path, copy)
        connection = sqlite3.connect(pathlib.Path(copy) / main.name)
        try:
            verdict = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            orphans = list(connection.execute("PRAGMA foreign_key_check"))
        finally:
            connection.close()
        if verdict != ["ok"] or orphans:
            failures.append(f"{main.name}: {verdict} {orphans}")


def run(kills, seed, log=progress):
    source = random.Random(seed)
    server = Server("--log-level", "warning")
    ledger, failures = {}, []
    totals = {"kills": 0, "acknowledged": 0, "predictions": 0, "seconds": 0}
    probes = [patch(tuple(source.randrange(256) for _ in range(3)), source, size=24) for _ in range(PROBES)]
    started = time.monotonic()
    starts = []
    try:
        server.start()
        for number in range(1, kills + 1):
            teacher = Teacher(server, ledger, random.Random(source.random()), number)
            asker = Asker(server, probes)
            teacher.start()
            asker.start()
            time.sleep(source.random() ** 2 * 1.2)
            server.kill()
            teacher.join(20)
            asker.join(20)
            if asker.fault:
                failures.append(f"a prediction was answered {asker.fault}")
            totals["predictions"] += asker.answers
            totals["kills"] += 1
            totals["acknowledged"] += sum(e["state"] == "accepted" for e in ledger.values())

            began = time.monotonic()
            server.start()
            starts.append(time.monotonic() - began)
            settle(server, ledger, failures)
            before = snapshot(server, probes)
            # A kill while nothing changes: the same answers must come back.
            server.kill()
            check_database(server.state, failures)
            server.start()
            failures += [f"after kill {number}: {d}" for d in differences(before, snapshot(server, probes))]
            if number % 10 == 0 or number == kills:
                log(
                    f"kill {number} of {kills}: {len(ledger)} tasks, {totals['predictions']} predictions, "
                    f"{len(failures)} failures, {time.monotonic() - started:.0f} s"
                )
            if failures:
                break
            # Few enough tasks that a round stays short.
            for name in sorted(ledger)[: max(0, len(ledger) - 12)]:
                answer = server.delete(f"/tasks/{ledger[name]['id']}")
                assert answer.status in (200, 202, 204), answer
                del ledger[name]
    finally:
        text = server.log()
        server.__exit__()
    if failures:
        log("\n".join(failures) + "\n" + text)
    totals["seconds"] = round(time.monotonic() - started, 1)
    totals["slowest_start_seconds"] = round(max(starts), 2) if starts else None
    return {"name": "crash", "seed": seed, **totals, "failures": failures}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = run(options.kills, options.seed)
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"{result['kills']} kills, {result['predictions']} predictions, {len(result['failures'])} failures, "
            f"slowest start {result['slowest_start_seconds']} s, {result['seconds']} s in all"
        )
    sys.exit(1 if result["failures"] else 0)


if __name__ == "__main__":
    main()
