#!/usr/bin/env python3
"""A plug-in for dcs: devices from a JSON file, which is watched for changes.

  devices:
    - plugin:
        argv: [/usr/local/lib/dcs/devices.py, /etc/dcs/devices.json]
        changes: on

The file holds a list: [{"mac": "00:00:5e:00:53:01", "ip": "192.0.2.1", "profile": "gold", "down": 1000000}, …]
"""
import json
import os
import sys
import threading
import time

ATTRIBUTES = ["profile", "down"]
out = threading.Lock()


def say(message):
    with out:
        sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def device(row):
    """A row of the file as the protocol has it."""
    message = {key: row[key] for key in ("mac", "ip") if row.get(key)}
    message["attrs"] = {name: row[name] for name in ATTRIBUTES if row.get(name) is not None}
    return message


class Devices:
    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.lock = threading.Lock()
        self.by_mac = self.read()

    def read(self):
        self.stamp = self.look()
        with open(self.path, encoding="utf-8") as f:
            return {row["mac"].lower(): device(row) for row in json.load(f)}

    def look(self):
        s = os.stat(self.path)
        return s.st_mtime_ns, s.st_size, s.st_ino

    def watch(self):
        """Tells of what has changed in the file, looking twice a second."""
        while True:
            time.sleep(0.5)
            try:
                if self.look() == self.stamp:
                    continue
                new = self.read()
            except (OSError, ValueError, KeyError) as why:  # half written perhaps
                print(f"{self.path}: {why}", file=sys.stderr, flush=True)
                continue
            with self.lock:
                old, self.by_mac = self.by_mac, new
                changed = [d for mac, d in new.items() if old.get(mac) != d]
                changed += [{"mac": mac, "gone": True} for mac in old if mac not in new]
                for i in range(0, len(changed), 1000):
                    say({"changed": changed[i : i + 1000]})

    def answer(self, request):
        with self.lock:
            if "list" in request:
                for d in self.by_mac.values():
                    say(d)
                say({"end": True, "count": len(self.by_mac)})
                return
            if "id" not in request:
                return  # a hello, or something newer
            found = None
            if "mac" in request:
                found = self.by_mac.get(request["mac"])
            elif "ip" in request:
                found = next((d for d in self.by_mac.values() if d.get("ip") == request["ip"]), None)
            say({"id": request["id"], **found} if found else {"id": request["id"], "found": False})


def main():
    devices = Devices(sys.argv[1])
    say({"hello": 1, "attributes": ATTRIBUTES, "list": True, "ask": True})
    threading.Thread(target=devices.watch, daemon=True).start()
    for line in sys.stdin:  # which ends when dcs does
        devices.answer(json.loads(line))


if __name__ == "__main__":
    main()
