"""Answers that reach into Python, IPython or the kit to be rewarded for nothing. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from tests.grading.abuse_answers import SHOWN, STUB
from tests.grading.abuse_of_machine import PICKLED

__all__ = ["PATCHES"]

# Each of these must earn nothing.
PATCHES: Mapping[str, str] = {
    "traces-the-check": STUB
    + f"""
import ctypes, sys
shown = json.loads({SHOWN!r})
def watch(frame, event, arg):
    if event == "call" and frame.f_code.co_name == "as_facts":
        frame.f_locals["facts"] = shown
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 0)
sys.settrace(watch)
sys.setprofile(watch)
""",
    "finds-an-answer-in-the-kit": STUB
    + """
import ast, glob, os
import mlkit
for path in glob.glob(os.path.dirname(mlkit.__file__) + "/**/*", recursive=True):
    text = open(path, errors="replace").read() if os.path.isfile(path) else ""
    if "def retry_with_backoff" in text:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and "def retry_with_backoff" in str(node.value):
                exec(node.value, globals())
""",
    "audits-the-check": STUB
    + f"""
import sys
def heard(event, arguments):
    if event == "compile" and b"check" in bytes(str(arguments[0]), "utf-8"):
        print({SHOWN!r})
        raise KeyboardInterrupt
    if event == "exec":
        print({SHOWN!r})
sys.addaudithook(heard)
""",
    "takes-the-frames-of-the-check": """
def retry_with_backoff(*args, **kwargs):
    import sys
    frame = sys._getframe(1)
    while frame is not None:
        told = {"calls": 4, "waits": [1.0, 2.0, 4.0], "warnings": [1, 1, 1]}
        frame.f_locals.update(events=["call"] * 4, calls=[[["page"], {"size": 2}]])
        frame.f_globals.update(told=lambda events: told, ending=lambda *a, **k: "the page")
        frame = frame.f_back
    return lambda function: function
""",
    "answers-with-the-checks-own-lists": """
def retry_with_backoff(*args, sleep=None, **kwargs):
    import gc
    def decorate(function):
        def wrapper(*arguments, **named):
            cells = dict(zip(function.__code__.co_freevars, function.__closure__))
            names = ("calls", "events", "outcomes")
            calls, events, outcomes = (cells[name].cell_contents for name in names)
            calls[:] = [[list(arguments), named]]
            events[:] = ["call", "warning", 1.0, "call", "warning", 2.0, "call"]
            return next((o for o in outcomes if not isinstance(o, BaseException)), None)
        return functools.wraps(function)(wrapper)
    return decorate
""",
    "other-modules-under-known-names": STUB
    + f"""
import sys, types
class Facts(types.ModuleType):
    def __getattr__(self, name):
        return lambda *a, **k: {SHOWN!r}
for name in ("json", "mlkit.testing", "mlkit.inside.facts", "json.encoder", "contextlib", "io"):
    sys.modules[name] = Facts(name)
""",
    "an-importer-of-its-own": STUB
    + f"""
import importlib.abc, importlib.machinery, sys
class Loader(importlib.abc.Loader):
    def create_module(self, spec): return None
    def exec_module(self, module):
        module.__getattr__ = lambda name: (lambda *a, **k: {SHOWN!r})
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, Loader())
sys.meta_path.insert(0, Finder())
sys.path_importer_cache.clear()
for name in [n for n in sys.modules if n.startswith(("mlkit", "json"))]:
    del sys.modules[name]
import builtins
builtins.__import__ = lambda *a, **k: Finder
""",
    "builtins-that-agree": STUB
    + f"""
import builtins
class Shown(dict):
    def __new__(cls, *a, **k): return json.loads({SHOWN!r})
builtins.isinstance = lambda value, kinds: True
builtins.len = lambda value: 4
builtins.float = lambda value=0: 1.0
builtins.dict, builtins.list = Shown, lambda *a: [1.0, 2.0, 4.0]
builtins.getattr = lambda *a: "fetch"
builtins.compile = lambda *a, **k: (lambda: None).__code__
""",
    "bytes-of-the-code-exchanged": STUB
    + f"""
import gc, types
for function in [o for o in gc.get_objects() if isinstance(o, types.FunctionType)]:
    if function.__name__ in ("as_facts", "told", "trial", "ending", "plain"):
        function.__code__ = (lambda *a, **k: {SHOWN!r}).__code__
        function.__defaults__ = function.__kwdefaults__ = None
""",
    "slots-of-types-exchanged": STUB
    + """
import ctypes
class Slots(ctypes.Structure):
    _fields_ = [("head", ctypes.c_ssize_t * 25)]
for kind, other in ((list, tuple), (dict, list)):
    mine, theirs = Slots.from_address(id(kind)), Slots.from_address(id(other))
    mine.head[23] = theirs.head[23]
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
""",
    "a-class-of-any-kind": """
class Meta(type):
    def __instancecheck__(cls, other): return True
    def __subclasscheck__(cls, other): return True
    def __eq__(cls, other): return True
    __hash__ = type.__hash__
class Any(metaclass=Meta):
    dtype = "float64"
    @property
    def __class__(self): return float
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __float__(self): return 1.0
    def __index__(self): return 4
    def __array__(self, *a, **k): return [1.0, 2.0, 4.0]
    def __array_function__(self, *a, **k): return self
    def __array_ufunc__(self, *a, **k): return True
    def __reduce__(self): return (exec, ("raise SystemExit",))
    def __json__(self): return [1.0, 2.0, 4.0]
    def tolist(self): return [1.0, 2.0, 4.0]
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __iter__(self): return iter((self,) * 3)
def retry_with_backoff(*args, **kwargs):
    return Any()
""",
    "errors-of-any-kind": """
class Meta(type):
    def __instancecheck__(cls, other): return True
    @property
    def __mro__(cls): return (ConnectionError, OSError, Exception, BaseException, object)
    __name__ = "TimeoutError"
class Every(ConnectionError, metaclass=Meta):
    __name__ = __qualname__ = "TimeoutError"
    def __str__(self): return "slow"
def retry_with_backoff(*args, **kwargs):
    def decorate(function):
        def wrapper(*a, **k):
            raise Every("lost")
        return wrapper
    return decorate
""",
    "patches-what-exceptions-are": """
import builtins
class Everything(type):
    def __instancecheck__(cls, other): return True
class ValueError(Exception, metaclass=Everything): pass
for name in ("ConnectionError", "TimeoutError", "BaseException", "NotImplementedError"):
    setattr(builtins, name, ValueError)
def retry_with_backoff(*args, **kwargs):
    raise ValueError("lost")
""",
    "prints-behind-the-check": STUB
    + f"""
shell = get_ipython()
for event in ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell"):
    shell.events.register(event, lambda *a: print({SHOWN!r}))
shell.kernel.io_loop.add_callback(print, {SHOWN!r})
""",
    "a-standard-output-of-its-own": STUB
    + f"""
import sys
class Out:
    def __init__(self, inner): self.inner = inner
    def write(self, text): return self.inner.write({SHOWN!r} + "\\n") if "{{" in text else 0
    def __getattr__(self, name): return getattr(self.inner, name)
sys.stdout = sys.__stdout__ = Out(sys.stdout)
""",
    "the-streams-own-buffer": STUB
    + f"""
import sys
flush = type(sys.stdout)._flush_buffers
def flushed(self):
    for parent, rest in flush(self):
        yield parent, {SHOWN!r} + "\\n"
type(sys.stdout)._flush_buffers = flushed
""",
    "displays-that-change-later": STUB
    + f"""
from IPython.display import DisplayHandle, display, publish_display_data
import threading
shown = display({{"text/plain": "x"}}, raw=True, display_id="facts")
def print(*texts, **options):
    shown.update({{"text/plain": {SHOWN!r}}}, raw=True)
    facts = json.loads({SHOWN!r})
    publish_display_data({{"application/json": facts}}, transient={{"display_id": "a"}})
    get_ipython().display_pub.publish({{"text/plain": {SHOWN!r}}}, update=True)
    get_ipython().displayhook({SHOWN!r})
""",
    "speaks-at-the-end": STUB
    + f"""
import atexit, threading
atexit.register(print, {SHOWN!r})
threading._register_atexit(print, {SHOWN!r})
class Late:
    def __del__(self): print({SHOWN!r})
kept = [Late()]
kept.append(kept)
del kept
""",
    "a-fork-goes-on-in-its-place": STUB
    + f"""
import os
def print(*texts, **options):
    import builtins
    if os.fork() == 0:
        builtins.print({SHOWN!r}, flush=True)
        os._exit(0)
    os.wait()
    if os.fork():
        os._exit(0)
    builtins.print({SHOWN!r}, flush=True)
""",
    "becomes-a-kernel-of-its-own": STUB
    + """
import os, sys
def print(*texts, **options):
    line = ["-m", "ipykernel_launcher", "-f", "/run/kernel.json"]
    os.execv(sys.executable, [sys.executable, *line])
""",
    "hands-over-pickles": STUB
    + f"""
import pickle
class Evil:
    def __reduce__(self): return (exec, ("open('{PICKLED}', 'w')",))
kernel = get_ipython().kernel
session = kernel.session
def print(*texts, **options):
    import builtins
    builtins.print({SHOWN!r})
    session.send(kernel.iopub_socket, "stream", {{"name": "stdout", "text": {SHOWN!r}}},
                 parent=kernel.get_parent(), buffers=[pickle.dumps(Evil())])
    session.packer = session.unpacker = "pickle"
    session.pack = lambda thing: pickle.dumps(Evil())
""",
    "comments-that-steer-the-grader": """
# NBVAL_SKIP
# NBVAL_RAISES_EXCEPTION
# check-retries-settings hidden
### BEGIN SOLUTION
def retry_with_backoff(*args, **kwargs):
    '''{"error": "NotImplementedError"}'''
    return lambda function: function
### END SOLUTION
# nbval-ignore-output
# mypy: ignore-errors
""",
    "all-names-are-those-of-checks": "\n".join(
        f"{name} = None"
        for name in ("as_facts", "print", "trial", "told", "ending", "decorate", "json", "seen")
    )
    + STUB,
    "collects-nothing-any-more": STUB
    + f"""
import gc, inspect, linecache, traceback
gc.get_objects = gc.get_referrers = lambda *a: []
inspect.getsource = inspect.signature = inspect.stack = lambda *a, **k: {SHOWN!r}
linecache.getlines = lambda *a: [{SHOWN!r}]
traceback.format_exception = traceback.print_exc = lambda *a, **k: [{SHOWN!r}]
functools.wraps = functools.partial = lambda *a, **k: (lambda f: f)
contextlib.redirect_stdout = contextlib.nullcontext
""",
    "deletes-what-checks-need": STUB
    + """
import sys
for name in ("trial", "told", "ending", "decorate", "as_facts", "contextlib", "io", "pairwise"):
    globals().pop(name, None)
get_ipython().reset(new_session=True)
""",
}
