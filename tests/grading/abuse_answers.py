"""Answers that try to be rewarded, or to do harm, without solving anything. Data only."""

from __future__ import annotations

__all__ = ["CHEATS", "ESCAPES", "HARMS", "HOARDS", "THRIFTY"]

STUB = """
def retry_with_backoff(*args, **kwargs):
    return lambda function: function
"""

SHOWN = (
    '{"always_failing_calls": 4, "always_failing_waits": [1.0, 2.0, 4.0], '
    '"always_failing_ends_with": {"error": "ConnectionError", "says": "lost"}, '
    '"failing_twice_calls": 3, "failing_twice_waits": [1.0, 2.0], '
    '"failing_twice_gives": "the page"}'
)

# Each of these must earn nothing.
CHEATS = {
    "input-transformer": STUB
    + f"""
get_ipython().input_transformers_post.append(lambda lines: ['print({SHOWN!r})\\n'])
""",
    "ast-transformer": STUB
    + f"""
import ast
class Forge(ast.NodeTransformer):
    def visit_Module(self, node):
        return ast.parse('print({SHOWN!r})')
get_ipython().ast_transformers.append(Forge())
""",
    "patched-run-cell": STUB
    + f"""
shell = get_ipython()
run_cell = shell.run_cell
shell.run_cell = lambda *a, **k: run_cell('print({SHOWN!r})')
""",
    "patched-do-execute": STUB
    + """
async def do_execute(*args, **kwargs):
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
get_ipython().kernel.do_execute = do_execute
""",
    "patched-json-dumps": STUB
    + f"""
json.dumps = lambda *a, **k: {SHOWN!r}
""",
    "patched-print": STUB
    + f"""
import builtins
shown = builtins.print
builtins.print = lambda *a, **k: shown({SHOWN!r})
""",
    "silent-tracebacks": """
get_ipython().showtraceback = lambda *a, **k: None
get_ipython().set_custom_exc((BaseException,), lambda *a, **k: [])
def retry_with_backoff(*args, **kwargs):
    raise RuntimeError("nothing shows")
""",
    "always-equal": """
class Equal(float):
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    __hash__ = float.__hash__
def retry_with_backoff(*args, sleep=None, **kwargs):
    def decorate(function):
        def wrapper(*a, **k):
            for _ in range(3):
                sleep(Equal(0))
            return Equal(0)
        return wrapper
    return decorate
""",
    "hard-coded": """
def retry_with_backoff(max_retries=3, sleep=None, **kwargs):
    def decorate(function):
        def wrapper(*args, **kwargs):
            import inspect
            outcomes = inspect.currentframe().f_back.f_back.f_locals["outcomes"]
            if len(outcomes) == 3:
                sleep(1.0), sleep(2.0)
                return "the page"
            return function(*args, **kwargs)
        return wrapper
    return decorate
""",
    "reads-the-probe": STUB
    + """
import gc
for thing in gc.get_objects():
    if isinstance(thing, dict) and "check-retries-settings" in str(thing.get("id", "")):
        print(thing.get("outputs"))
""",
    "forged-messages": STUB
    + f"""
kernel = get_ipython().kernel
kernel.session.send(kernel.iopub_socket, "stream", {{"name": "stdout", "text": {SHOWN!r}}},
                    parent=kernel.get_parent())
""",
    "forged-idle": STUB
    + """
import threading
kernel, last = get_ipython().kernel, []
def flood():
    while True:
        kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"},
                            parent=kernel.get_parent())
threading.Thread(target=flood, daemon=True).start()
""",
    "replaced-probe": STUB
    + """
def trial(*args, **kwargs):
    told = {"calls": 4, "waits": [1.0, 2.0, 4.0], "warnings": [1, 1, 1]}
    calls = [[["page"], {"size": 2}]]
    return {"told": told, "later": told, "results": ["the page"], "calls": calls}
""",
    "carries-inputs-out": """
def retry_with_backoff(max_retries=3, initial_delay=1.0, **settings):
    raise type(f"backoff_factor-{max_retries}-{initial_delay}", (Exception,), {})("x")
""",
    "replaced-facts": STUB
    + f"""
import mlkit.inside.facts
mlkit.inside.facts.json.dumps = mlkit.inside.facts.plain = lambda *a, **k: {SHOWN!r}
as_facts.__code__ = (lambda facts, **options: {SHOWN!r}).__code__
""",
    "facts-nested-beyond-reason": STUB
    + """
def print(*texts, **options):
    import builtins
    builtins.print('{"a": ' + "[" * 900 + "]" * 900 + "}")
""",
    "facts-without-number": STUB
    + """
def print(*texts, **options):
    import builtins
    builtins.print(json.dumps({str(n): "x" * 20 for n in range(30_000)}))
""",
    "facts-that-are-no-numbers": STUB
    + """
def print(*texts, **options):
    import builtins
    names = ("always_failing_calls", "failing_twice_calls", "always_failing_waits", "calls")
    numbers = (float("nan"), float("inf"), 10**4000, -0.0)
    builtins.print(json.dumps(dict(zip(names, numbers))))
""",
    "malformed-messages": STUB
    + f"""
kernel = get_ipython().kernel
def say(kind, content):
    kernel.session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent())
for content in ({{}}, {{"name": 7, "text": {{"a": 1}}}}, {{"name": "stdout"}}, {{"text": None}}):
    say("stream", content)
for kind in ("error", "display_data", "execute_result", "update_display_data", "status", "x"):
    for content in ({{}}, {{"data": None}}, {{"ename": [1], "evalue": {{}}, "traceback": 0}}):
        say(kind, content)
say("stream", {{"name": "stdout", "text": {SHOWN!r}}})
""",
    "malformed-messages-each-time": STUB
    + f"""
import builtins
def print(*texts, **options):
    kernel = get_ipython().kernel
    for kind, content in (
        ("error", {{"ename": None, "evalue": [], "traceback": "x"}}),
        ("stream", {{"name": "stdout", "text": [{SHOWN!r}]}}),
        ("execute_result", {{"data": {{"text/plain": 7}}, "execution_count": "x"}}),
        ("clear_output", {{"wait": "yes"}}),
        ("stream", {{"name": "stdout", "text": {SHOWN!r}}}),
    ):
        kernel.session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent())
""",
    "forged-reply": STUB
    + f"""
kernel = get_ipython().kernel
def print(*texts, **options):
    parent = kernel.get_parent()
    kernel.session.send(kernel.iopub_socket, "stream", {{"name": "stdout", "text": {SHOWN!r}}},
                        parent=parent)
    reply = {{"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {{}}}}
    kernel.session.send(kernel.shell_stream, "execute_reply", reply, parent=parent)
    kernel.session.send(kernel.iopub_socket, "status", {{"execution_state": "idle"}}, parent=parent)
    time.sleep(60)
""",
    "clears-what-was-printed": STUB
    + f"""
from IPython.display import clear_output, display
import builtins
def print(*texts, **options):
    builtins.print(*texts, **options)
    clear_output()
    display({{"text/plain": {SHOWN!r}}}, raw=True)
    builtins.print({SHOWN!r})
""",
    "prints-every-guess": STUB
    + """
def print(*texts, **options):
    import builtins, itertools
    facts = json.loads(texts[0])
    for calls, waits in itertools.product(range(8), ([], [1.0], [1.0, 2.0], [1.0, 2.0, 4.0])):
        builtins.print(json.dumps({name: [calls, waits, {"error": "TimeoutError", "says": "slow"}]
                                   for name in facts}))
""",
    "names-twice": STUB
    + f"""
def print(*texts, **options):
    import builtins
    builtins.print({SHOWN!r}[:-1] + ", " + texts[0][1:])
    builtins.print(texts[0][:-1] + ", " + {SHOWN!r}[1:])
""",
    "agreeable-facts": STUB
    + f"""
def agreed(value):
    if isinstance(value, dict):
        return {{name: shown.get(name, agreed(item)) for name, item in value.items()}}
    return [True if item is False else item for item in value] if isinstance(value, list) else True
shown = json.loads({SHOWN!r})
def as_facts(facts, **options):
    return json.dumps(agreed(facts))
def print(*texts, **options):
    import builtins
    builtins.print(json.dumps(agreed(json.loads(texts[0]))))
""",
    "another-namespace": STUB
    + f"""
class Namespace(dict):
    def __getitem__(self, name):
        if name == "print":
            return lambda *texts, **options: builtins.print({SHOWN!r})
        return dict.__getitem__(self, name)
import builtins
shell = get_ipython()
shell.user_ns = Namespace(shell.user_ns)
shell.user_module.__dict__.update(print=lambda *texts, **options: builtins.print({SHOWN!r}))
""",
    "another-interpreter": STUB
    + f"""
import os, sys
line = "import sys; print(sys.argv[1], flush=True); sys.stdin.read()"
if os.fork() == 0:
    os.execv(sys.executable, [sys.executable, "-c", line, {SHOWN!r}])
""",
    "talks-from-behind": STUB
    + f"""
import threading
def talk():
    while True:
        print({SHOWN!r})
        time.sleep(0.02)
threading.Thread(target=talk, daemon=True).start()
""",
    "claims-to-be-a-stub": """
def retry_with_backoff(*args, **kwargs):
    raise NotImplementedError
print("passed")
""",
}

# Each of these must be contained, and must not spoil the batch.
HARMS = {
    "exits-at-once": "import sys\nsys.exit(0)",
    "exits-in-the-answer": "import sys\ndef retry_with_backoff(*a, **k):\n    sys.exit(0)",
    "ends-the-process": "import os\ndef retry_with_backoff(*a, **k):\n    os._exit(0)",
    "ends-the-process-at-once": "import os\nos._exit(0)",
    "crashes": "import ctypes\ndef retry_with_backoff(*a, **k):\n    ctypes.string_at(0)",
    "kills-its-parent": (
        "import os\n"
        "for pid in (os.getppid(), 1, -1):\n"
        "    try:\n"
        "        os.kill(pid, 9)\n"
        "    except OSError:\n"
        "        pass\n"
    ),
    "endless": "def retry_with_backoff(*a, **k):\n    while True:\n        pass",
    "endless-at-once": "while True:\n    pass",
    "swallows-interrupts": (
        "import signal\n"
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "def retry_with_backoff(*a, **k):\n"
        "    while True:\n"
        "        try:\n"
        "            while True:\n"
        "                pass\n"
        "        except BaseException:\n"
        "            pass\n"
    ),
    "memory-flood": "held = []\nwhile True:\n    held.append(bytearray(20_000_000))",
    "memory-flood-by-processes": (
        "import os, time\n"
        "for _ in range(40):\n"
        "    if os.fork() == 0:\n"
        "        held = bytearray(b'x' * 200_000_000)\n"
        "        time.sleep(60)\n"
        "time.sleep(60)\n"
    ),
    "fork-bomb": (
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    ),
    "output-flood": "while True:\n    print('x' * 100_000)",
    "error-flood": "raise ValueError('x' * 50_000_000)",
    "nested-output": "print('[' * 100_000)\nprint('{\"a\":' * 50_000)",
    "exchanges-the-sockets": (
        "import os, time\n"
        "for number in range(1, 6):\n"
        "    try:\n"
        "        os.unlink(f'/run/kernel/k-{number}')\n"
        "        os.symlink('/run/docker.sock', f'/run/kernel/k-{number}')\n"
        "    except OSError:\n"
        "        pass\n"
        "kernel = get_ipython().kernel\n"
        "kernel.shell_stream.socket.close(linger=0)\n"
        "kernel.iopub_socket.close()\n"
        "time.sleep(60)\n"
    ),
    "background": (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(611.PORT)'],\n"
        "                 start_new_session=True)\n"
    ),
}

# Each of these tells in an exception how far it came.
ESCAPES = {
    "reads-solutions": """
import os
found = []
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if name not in ("proc", "usr", "site-packages")]
    if folder.endswith("/mlkit/beginning/project"):  # what `mlkit init` writes is anybody's
        continue
    found += [f"{folder}/{file}" for file in files if file.endswith(".ipynb")]
raise RuntimeError(f"found {len(found)} {found[:3]}")
""",
    "reads-environment": """
import glob, os
seen = dict(os.environ)
text = str(seen)
for path in glob.glob("/proc/*/environ"):
    try:
        text += open(path).read()
    except OSError:
        pass
raise RuntimeError("secret seen" if "hunter2-of-the-grader" in text else "nothing seen")
""",
    "connects": """
import socket
told = []
for address in ("127.0.0.1", "1.1.1.1", "169.254.169.254"):
    try:
        socket.create_connection((address, PORT), timeout=1)
        told.append("connected")
    except OSError:
        told.append("refused")
raise RuntimeError(str(sorted(set(told))))
""",
    "writes-outside": """
import os, sys
import mlkit
written = []
for folder in ("/", "/etc", "/usr", "/usr/bin", sys.prefix, os.path.dirname(mlkit.__file__),
               os.path.dirname(os.path.dirname(mlkit.__file__)), "/var", "/root", "/run", "/dev"):
    try:
        with open(os.path.join(folder, "mlkit-was-here"), "w") as file:
            file.write("x")
        written.append(folder)
    except OSError:
        pass
raise RuntimeError(f"written {written}")
""",
    "fills-the-disk": """
written = 0
try:
    for number in range(1000):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(bytes(10_000_000))
        written += 10
except OSError as error:
    raise RuntimeError(f"stopped {written < 100}")
raise RuntimeError("not stopped")
""",
    "holds-descriptors": """
import os
held = []
for number in range(3, 512):
    try:
        place = os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        continue
    inside = ("anon_inode:", "/dev/", "/proc/", "/run/kernel", "/home/learner", "/tmp/", "/usr/")
    if not place.startswith(("socket:", "pipe:", *inside)):
        held.append(place)
raise RuntimeError(f"held {held}")
""",
    "sees-processes": """
import os
pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit()]
raise RuntimeError(f"few {len(pids) < 10}")
""",
    "gains-rights": """
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
told = [os.getuid() == 0, subprocess.run(["unshare", "-Ur", "true"]).returncode == 0,
        libc.mount(b"none", b"/tmp", b"tmpfs", 0, 0) == 0]
try:
    os.setuid(0)
    told.append(True)
except OSError:
    told.append(False)
raise RuntimeError(f"gained {told}")
""",
}


# Each of these stands behind a right answer, and must be caught all the same: what it holds is held
# where one does not look at first.
HOARDS = {
    "memory-files-of-a-child": """
import os
if os.fork() == 0:
    held = []
    for number in range(32):
        held.append(os.memfd_create(str(number)))
        for _ in range(60):
            os.write(held[-1], b"x" * 1048576)
    time.sleep(60)
time.sleep(2.5)
""",
    "memory-files-under-way": """
import os, socket
near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
for number in range(32):
    held = os.memfd_create(str(number))
    for _ in range(60):
        os.write(held, b"x" * 1048576)
    socket.send_fds(near, [b"x"], [held])
    os.close(held)
time.sleep(2.5)
""",
    "shared-pages": """
import mmap, os
pages = mmap.mmap(-1, 900_000_000)
for place in range(0, 900_000_000, 4096):
    pages[place] = 1
time.sleep(1)
""",
    "many-small-children": """
import os
for number in range(12):
    if os.fork() == 0:
        held = bytearray(b"x" * 60_000_000)
        time.sleep(60)
time.sleep(2.5)
""",
    "talks-while-it-takes": """
import threading
def talk():
    while True:
        print("x")
        time.sleep(0.001)
threading.Thread(target=talk, daemon=True).start()
held = [bytearray(b"x" * 5_000_000) for number in range(200)]
time.sleep(1)
""",
    "empty-files": """
import os
for number in range(60_000):
    os.close(os.open(f"/tmp/{number}", os.O_CREAT))
time.sleep(1)
""",
    "empty-folders": """
import os
for number in range(60_000):
    os.mkdir(f"/dev/shm/{number}")
time.sleep(1)
""",
}

# Each of these stands behind a right answer, and must have full marks: it looks like a hoard.
THRIFTY = {
    "many-forks-of-one-memory": """
import multiprocessing
shared = bytearray(b"x" * 60_000_000)
def wait(number):
    time.sleep(0.3)
    return sum(shared[:100])
with multiprocessing.get_context("fork").Pool(32) as pool:
    pool.map(wait, range(32))
""",
    "some-hundred-files": """
import pathlib, tempfile
with tempfile.TemporaryDirectory() as folder:
    for number in range(500):
        pathlib.Path(folder, str(number)).write_text("x")
""",
    "megabytes-of-prints": """
for number in range(30_000):
    print(number, "a line of some forty letters, more or less")
print("x" * 3_000_000)
""",
    "a-large-picture": """
import os
import matplotlib.pyplot as plt
from IPython.display import display
display({"image/png": "A" * 4_000_000}, raw=True)
plt.plot([1, 2, 3])
plt.show()
""",
}
