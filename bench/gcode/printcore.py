"""Prints a file by Printrun's printcore on a port, and says how long it took: the peer of bench/gcode.ts."""
import json
import sys
import time

from printrun import gcoder
from printrun.printcore import printcore

port, path, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
core = printcore(port, 115200)
deadline = time.monotonic() + 30
while not core.online and time.monotonic() < deadline:
    time.sleep(0.05)
with open(path, encoding="utf-8") as file:
    gcode = gcoder.LightGCode([line.strip() for line in file])
started = time.monotonic()
core.startprint(gcode)
while core.printing and time.monotonic() - started < limit:
    time.sleep(0.005)
seconds = time.monotonic() - started
print(json.dumps({"seconds": seconds, "finished": not core.printing, "online": core.online}), flush=True)
core.disconnect()
