"""Answers that would hurt the grader's machine, or the teacher who reads the grades. Data only."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BURDENS", "HIDDEN_HOARDS", "PICKLED", "WAYS_OUT", "WAYS_TOLD"]

PICKLED = "/tmp/mlkit-a-pickle-was-here"

# Each of these must be contained, and earn nothing.
BURDENS: Mapping[str, str] = {
    "waits-for-a-pipe": (
        "import os\nos.mkfifo('pipe')\ndef retry_with_backoff(*a, **k):\n    return open('pipe')"
    ),
    "stops-all-of-itself": (
        "import os, signal, threading\n"
        "def retry_with_backoff(*a, **k):\n"
        "    os.kill(-1, signal.SIGSTOP)\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    ),
    "children-that-nobody-waits-for": (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "wait = 'import signal as s, time; [s.signal(n, s.SIG_IGN) for n in (1, 2, 3, 13, 15)]'\n"
        "for number in range(20):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            line = [wait + '; time.sleep(600)', 'outlives-PORT']\n"
        "            os.execv(sys.executable, [sys.executable, '-S', '-c', *line])\n"
        "        os._exit(0)\n"
    ),
    "threads-without-end": (
        "import threading, time\n"
        "try:\n"
        "    while True:\n"
        "        threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "except RuntimeError:\n"
        "    pass\n"
    ),
    "a-line-without-end": (
        "import sys\n"
        "def retry_with_backoff(*a, **k):\n"
        "    while True:\n"
        "        sys.__stdout__.write('x' * 10_000_000)\n"
        "        sys.__stdout__.flush()\n"
    ),
    "fills-what-the-sandbox-says": (
        "import os\n"
        "def retry_with_backoff(*a, **k):\n"
        "    while True:\n"
        "        for place in ('/proc/self/fd/1', '/proc/1/fd/1', '/proc/self/fd/2'):\n"
        "            with open(place, 'ab') as file:\n"
        "                file.write(b'x' * 10_000_000)\n"
    ),
    "comms-without-end": (
        "from comm import create_comm\n"
        "def retry_with_backoff(*a, **k):\n"
        "    while True:\n"
        "        create_comm(target_name='x', data={'x': 'x' * 1000})\n"
    ),
    "a-name-that-draws-on-a-terminal": (
        "def retry_with_backoff(*a, **k):\n"
        "    name = '\\x1b[2J\\x1b]0;owned\\x07\\x9b31m\\u202e</code><script>alert(1)</script>'\n"
        "    raise type(name, (Exception,), {})(name + '\\x00\\ud800\\n=HYPERLINK(1)')\n"
    ),
    "prints-half-characters": (
        "def print(*texts, **options):\n"
        "    import sys\n"
        '    sys.stdout.write(\'\\ud800\\x00\\x1b[2J{"\\ud800": "\\x1b"}\')\n'
        "def retry_with_backoff(*a, **k):\n"
        "    pass\n"
    ),
    "an-error-that-is-its-own-cause": (
        "def retry_with_backoff(*a, **k):\n"
        "    def deeper(n):\n"
        "        try:\n"
        "            deeper(n + 1)\n"
        "        except BaseException as error:\n"
        "            raise ExceptionGroup('x' * 10_000, [error] * 3) from error\n"
        "    deeper(0)\n"
    ),
    "takes-all-descriptors": (
        "import os, socket\n"
        "held = []\n"
        "try:\n"
        "    while True:\n"
        "        held.append(socket.socketpair())\n"
        "except OSError:\n"
        "    pass\n"
    ),
    "locks-and-links-about-itself": (
        "import fcntl, os\n"
        "for number in range(2000):\n"
        "    os.symlink(f'../{number + 1}', f'/tmp/{number}')\n"
        "    os.symlink('/proc/self/cwd', f'/run/kernel/{number}')\n"
        "held = open('/run/kernel.json')\n"
        "fcntl.flock(held, fcntl.LOCK_EX)\n"
    ),
}

# Each of these tells in an exception how far it came, and what it may tell.
WAYS_OUT: Mapping[str, str] = {
    "other-kinds-of-sockets": """
import socket
made = []
for family in range(46):
    if family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        continue
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
            made.append(family)
        except OSError:
            pass
for family, kind, protocol in ((socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_INET6, 3, 58)):
    try:
        socket.socket(family, kind, protocol).close()
        made.append(f"raw {family}")
    except OSError:
        pass
raise RuntimeError(f"made {sorted(set(map(str, made)))}")
""",
    "rights-of-the-process": """
told = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines()
            if ":\\t" in line)
rights = {told[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
few = {right.strip("0") for right in rights}
raise RuntimeError(f"rights {few}, new ones {told['NoNewPrivs']}, filtered {told['Seccomp']}")
""",
    "devices": """
import os, stat
made = []
for name, kind, number in (("mem", stat.S_IFCHR, (1, 1)), ("disk", stat.S_IFBLK, (254, 0)),
                           ("zero", stat.S_IFCHR, (1, 5)), ("tty", stat.S_IFCHR, (5, 0))):
    for folder in ("/tmp", "/dev/shm", ".", "/run/kernel"):
        try:
            os.mknod(f"{folder}/{name}", kind | 0o666, os.makedev(*number))
            os.open(f"{folder}/{name}", os.O_RDONLY)
            made.append(name)
        except OSError:
            pass
usual = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console", "core", "fd",
         "pts", "shm", "stdin", "stdout", "stderr"}
raise RuntimeError(f"made {made + sorted(set(os.listdir('/dev')) - usual)}")
""",
    "the-operating-systems-own-files": """
import os
opened = []
for path in ("/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/kmsg", "/proc/kmsg", "/proc/1/mem",
             "/proc/1/environ", "/proc/1/root/etc/shadow", "/etc/shadow", "/sys/kernel",
             "/sys/fs/cgroup", "/run/docker.sock", "/var/run/docker.sock",
             "/var/log", "/srv", "/mnt", "/media", "/boot"):
    try:
        if os.path.isdir(path):
            opened += [path] if os.listdir(path) else []
        else:
            os.read(os.open(path, os.O_RDONLY), 1)
            opened.append(path)
    except OSError:
        pass
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches",
             "/proc/sys/kernel/hostname", "/proc/1/oom_score_adj",
             "/proc/sys/fs/binfmt_misc/register", "/proc/sys/net/ipv4/ip_forward"):
    try:
        os.close(os.open(path, os.O_WRONLY))
        opened.append(path)
    except OSError:
        pass
raise RuntimeError(f"opened {opened}")
""",
    "the-kits-own-files": """
import glob, os, shutil, sys
import IPython, mlkit
changed = []
mine = "/tmp/mine"
open(mine, "w").close()
for package in (mlkit, IPython, os):
    folder = os.path.dirname(package.__file__)
    file = package.__file__
    for name, act in {
        "write": lambda: os.open(file, os.O_WRONLY),
        "cut": lambda: os.truncate(file, 0),
        "mode": lambda: os.chmod(file, 0o777),
        "owner": lambda: os.chown(file, os.getuid(), -1),
        "remove": lambda: os.unlink(file),
        "rename": lambda: os.rename(file, file + "x"),
        "replace": lambda: os.replace(mine, file),
        "link": lambda: os.link(file, "/tmp/linked"),
        "link here": lambda: os.link(mine, f"{folder}/linked"),
        "symbolic": lambda: os.symlink(mine, f"{folder}/linked.py"),
        "folder": lambda: os.mkdir(f"{folder}/made"),
        "compiled": lambda: open(f"{folder}/__pycache__/x.pyc", "w"),
        "pth": lambda: open(f"{os.path.dirname(folder)}/x.pth", "w"),
        "times": lambda: os.utime(file, (0, 0)),
        "by another root": lambda: os.open(f"/proc/1/root{file}", os.O_WRONLY),
        "by a descriptor": lambda: os.open(f"/proc/self/fd/{os.open(file, os.O_RDONLY)}", 2),
        "attribute": lambda: os.setxattr(file, "user.x", b"x"),
    }.items():
        try:
            act()
            changed.append(f"{name} {package.__name__}")
        except OSError:
            pass
raise RuntimeError(f"changed {changed}")
""",
    "what-another-submission-left": """
import os, socket, sysconfig
from multiprocessing import shared_memory
places = [f"{folder}/left-for-the-next" for folder in
          ("/tmp", "/dev/shm", os.path.expanduser("~"), "/run/kernel", "/var/tmp", "/dev/mqueue")]
met = [place for place in places if os.path.lexists(place)]
for place in places:
    try:
        open(place, "w").close()
    except OSError:
        pass
near = socket.socket(socket.AF_UNIX)
try:
    near.connect("\\0left-for-the-next")
    met.append("abstract")
except OSError:
    pass
import ctypes
libc = ctypes.CDLL(None)
if libc.semget(0x611, 1, 0) >= 0:
    met.append("semaphores")
libc.semget(0x611, 1, 0o1666)
if os.fork() == 0:
    import time
    os.setsid()
    far = socket.socket(socket.AF_UNIX)
    far.bind("\\0left-for-the-next")
    far.listen()
    time.sleep(600)
raise RuntimeError(f"met {met}")
""",
}
WAYS_OUT = {**WAYS_OUT, "what-another-one-left": WAYS_OUT["what-another-submission-left"]}

WAYS_TOLD: Mapping[str, str] = {
    "other-kinds-of-sockets": "made []",
    "rights-of-the-process": "rights {''}, new ones 1, filtered 2",
    "devices": "made []",
    "the-operating-systems-own-files": "opened []",
    "the-kits-own-files": "changed []",
    "what-another-submission-left": "met []",
    "what-another-one-left": "met []",
}

# Each of these stands behind a right answer, and must be caught: nobody holds it by a descriptor.
HIDDEN_HOARDS: Mapping[str, str] = {
    "empty-files-among-the-sockets": """
import os
for number in range(60_000):
    os.close(os.open(f"/run/kernel/{number}", os.O_CREAT))
time.sleep(1)
""",
    "connections-that-nobody-takes": """
import socket
far = socket.socket(socket.AF_UNIX)
far.bind("/tmp/far")
far.listen(4000)
for number in range(3000):
    near = socket.socket(socket.AF_UNIX)
    near.setblocking(False)
    near.connect("/tmp/far")
    try:
        while True:
            near.send(b"x" * 65536)
    except BlockingIOError:
        near.close()
time.sleep(1)
""",
}
