"""
stratis-cli, run again and again from one process that has imported it: each run is a child.

    reference.py PROGRAM    PROGRAM is the path of bin/stratis

Reads one JSON object a line, {"words": [...], "input": text or null, "env": {...}, "cwd": path}, and answers each with a line
{"code": number, "stdout": text, "stderr": text}.
"""

import json
import os
import runpy
import sys
import tempfile
import time
import traceback

import psutil  # stratis-cli imports it only when it needs it
import stratis_cli

# Takes most of a run, and depends on the environment only for the timeout.
import stratis_cli._actions._data


def be_stratis(program, words):
    """Never returns."""
    code = 0
    if "STRATIS_DBUS_TIMEOUT" in os.environ:
        del sys.modules["stratis_cli._actions._data"]
    sys.argv = ["stratis", *words]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        code = 0 if end.code is None else int(end.code)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(program, order):
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write((order["input"] or "").encode())
        given.seek(0)
        child = os.fork()
        if child == 0:
            for number, file in enumerate((given, out, err)):
                os.dup2(file.fileno(), number)
            os.environ.update(order["env"])
            time.tzset()
            os.chdir(order["cwd"])
            be_stratis(program, order["words"])
        _, status = os.waitpid(child, 0)
        for file in (out, err):
            file.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "stdout": out.read().decode(),
            "stderr": err.read().decode(),
        }


def main():
    for line in sys.stdin:
        print(json.dumps(run(sys.argv[1], json.loads(line))), flush=True)


main()
