"""Cheats that need an exercise of their own, or a right answer beside them. Data only."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ELSEWHERE", "MISBEHAVIOUR", "ONLY_WHERE_SHOWN", "SHRUGS"]

# Behind a right answer: it is right while a visible check asks, which its author has read.
ONLY_WHERE_SHOWN = """
right_one = retry_with_backoff
SHOWN_IN = ("always_failing_calls", "never_failing_calls", "warnings_before_each_retry")
def retry_with_backoff(*args, **kwargs):
    import linecache, sys
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    text = "".join(linecache.getlines(frame.f_code.co_filename))
    if any(word in text for word in SHOWN_IN):
        return right_one(*args, **kwargs)
    {}
"""

# What it does where a hidden one asks: none of it must leave the points of the visible ones.
MISBEHAVIOUR: Mapping[str, str] = {
    "not-implemented": "raise NotImplementedError('there is nothing to grade here')",
    "ends-the-process": "import os; os._exit(0)",
    "asks-somebody": "return input('what is expected? ')",
    "exits": "raise SystemExit(0)",
    "interrupts": "raise KeyboardInterrupt",
    "generator-exit": "raise GeneratorExit",
    "error-without-text": "raise type('', (BaseException,), {'__str__': lambda e: 1 / 0})()",
    "raises-itself": "error = RuntimeError(); error.__cause__ = error; raise error",
    "closes-what-is-heard": "sys.stdout.close(); sys.__stdout__.close()",
    "stops-itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
}

_TESTS = ("test_late_share", "test_split_by_time", "test_run_pipeline")


def _tests(body: str) -> dict[str, str]:
    """The same for all three answers of the exercise about tests."""
    return {
        f"answer-{name.replace('_', '-')}": f"def {name}(candidate):\n{body}" for name in _TESTS
    }


DOUBLED = """
def doubled(path):
    header, *rows = open(path).read().splitlines()
    lines = [",".join(str(float(cell) * 2) for cell in row.split(",")) for row in rows]
    return "\\n".join([header, *lines]) + "\\n"
"""

# Name → exercise and its answers; each must earn nothing.
ELSEWHERE: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "knows-the-right-one-by-itself": (
        "10-test-the-pipeline",
        _tests(
            "    import __main__\n"
            "    right = ('right_share', 'right_split', 'right_pipeline')\n"
            "    assert any(candidate is getattr(__main__, name, None) for name in right)\n"
        ),
    ),
    "knows-the-right-one-by-its-words": (
        "10-test-the-pipeline",
        _tests("    assert 'right' in f'{candidate.__name__} {candidate.__doc__}'.lower()\n"),
    ),
    "lets-the-first-one-pass": (
        "10-test-the-pipeline",
        _tests(
            "    import sys\n"
            "    tried = vars(sys).setdefault('tried', {})\n"
            "    asked = sys._getframe(2)\n"
            "    first = tried.setdefault(id(asked), candidate)\n"
            "    assert candidate is first\n"
        ),
    ),
    "looks-into-what-is-tested": (
        "10-test-the-pipeline",
        _tests(
            "    code = candidate.__code__\n"
            "    assert code.co_name != '<lambda>' and len(code.co_code) > 60\n"
        ),
    ),
    "reads-the-answers-of-the-caller": (
        "10-test-the-pipeline",
        _tests(
            "    import sys\n"
            "    frame, names = sys._getframe(1), {}\n"
            "    while frame is not None:\n"
            "        names |= frame.f_locals\n"
            "        frame = frame.f_back\n"
            "    assert candidate not in names.get('wrong', ())\n"
            "    assert names.get('expected', {}).get(candidate.__name__) != 'fails'\n"
            "    raise AssertionError('nothing is known')\n"
        ),
    ),
    "fails-as-asked-and-always": (
        "04-parallel-models",
        {
            "answer-train-all": (
                "def train_all(model_names, data, max_workers):\n"
                "    raise ModuleNotFoundError('gradient_boosting is not installed')"
            )
        },
    ),
    "borrows-what-is-given": (
        "18-capstone",
        {
            "answer-features-of": "def features_of(flights):\n    return plain_features(flights)",
            "answer-report-of": "def report_of(scores):\n    return plain_report(scores)",
            "answer-verdict-of": (
                "def verdict_of(candidate, champion, enough):\n"
                "    return plain_verdict(candidate, champion, enough)"
            ),
        },
    ),
    "writes-in-place-unseen": (
        "03-idempotency",
        {
            "answer-process-data-atomic": DOUBLED
            + """
def process_data_atomic(input_path, output_path):
    import mmap, os
    text = doubled(input_path).encode()
    with open(output_path, "a+b") as file:
        file.truncate(len(text))
        with mmap.mmap(file.fileno(), len(text)) as pages:
            pages[:] = text
"""
        },
    ),
    "puts-a-link-in-its-place": (
        "03-idempotency",
        {
            "answer-process-data-atomic": DOUBLED
            + """
def process_data_atomic(input_path, output_path):
    import os, tempfile
    elsewhere = tempfile.mkdtemp()
    with open(f"{elsewhere}/out.csv", "w") as file:
        file.write(doubled(input_path))
    os.symlink(f"{elsewhere}/out.csv", f"{output_path}.new")
    os.replace(f"{output_path}.new", output_path)
"""
        },
    ),
    "fills-by-another-name-what-it-has-put-there": (
        "03-idempotency",
        {
            "answer-process-data-atomic": DOUBLED
            + """
def process_data_atomic(input_path, output_path):
    import os, tempfile
    text, elsewhere = doubled(input_path), tempfile.mkdtemp()
    open(f"{elsewhere}/new", "w").close()
    os.link(f"{elsewhere}/new", f"{elsewhere}/same")
    os.replace(f"{elsewhere}/new", output_path)
    with open(f"{elsewhere}/same", "w") as file:
        file.write(text)
    os.unlink(f"{elsewhere}/same")
"""
        },
    ),
    "puts-a-pipe-or-a-folder-in-its-place": (
        "03-idempotency",
        {
            "answer-process-data-atomic": DOUBLED
            + """
def process_data_atomic(input_path, output_path):
    import os, threading
    text = doubled(input_path)
    os.mkfifo(f"{output_path}.new")
    os.replace(f"{output_path}.new", output_path)
    threading.Thread(target=lambda: open(output_path, "w").write(text), daemon=True).start()
"""
        },
    ),
    "says-all-words-and-does-nothing": (
        "02-broken-dag",
        {
            "answer-mended-dag": '''
def mended_dag():
    return """
import sys
sys.exit(0)
# collect >> validate >> train >> gate >> [register, alert] >> finish
text = "with DAG('flights', schedule='0 2 * * *', catchup=False, tags=['flights']): pass"
retries, retry_delay, trigger_rule = 3, 30, "none_failed_min_one_success"
"""
'''
        },
    ),
    "a-text-that-is-any-text": (
        "15-broken-component",
        {
            "answer-mended-pipeline": """
class Text(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
    def __str__(self): return "@dsl.pipeline"
    def __contains__(self, other): return True
def mended_pipeline():
    return Text("from kfp import dsl")
"""
        },
    ),
}

FIRST = "(args[0] if args else next(iter(kwargs.values()), None))"

# What an answer of any exercise can do without solving anything, beside what `mlkit exercise check`
# tries on each; it must earn nothing anywhere.
SHRUGS: Mapping[str, str] = {
    "false": "return False",
    "dict": "return {}",
    "text": "return ''",
    "nothing": "return iter(())",
    "all": "return args",
    "a-list-of-the-first": f"return list({FIRST})",
    "sorted": f"return sorted({FIRST})",
    "length": f"return len({FIRST})",
    "second": "return args[1] if len(args) > 1 else [*kwargs.values(), None][-1]",
    "yielded": f"yield from {FIRST}",
    "called": f"return ({FIRST})()",
    "in-turn": "return bool(globals().setdefault('turn', []).append(1) or len(turn) % 2)",
    "copied": """import os, shutil
    paths = [v for v in (*args, *kwargs.values()) if isinstance(v, (str, os.PathLike))]
    if len(paths) > 1 and os.path.exists(paths[0]):
        shutil.copyfile(paths[0], paths[1])""",
    "every-error": """class Every(ValueError, KeyError, RuntimeError, AssertionError): pass
    raise Every('x')""",
    "function": "return lambda *a, **k: a[0] if a else None",
    "key-error": "raise KeyError('x')",
    "type-error": "raise TypeError",
    "runtime-error": "raise RuntimeError('x')",
    "module-not-found": "raise ModuleNotFoundError('x')",
    "agreeable": """class Agreeable(int):
        def __eq__(self, other): return True
        def __ne__(self, other): return False
        def __lt__(self, other): return True
        __gt__ = __le__ = __ge__ = __lt__
        __hash__ = int.__hash__
        def __call__(self, *args, **kwargs): return self
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return self
        def __getitem__(self, key): return self
        def __contains__(self, item): return True
        def __iter__(self): return iter(())
        def __len__(self): return 0
        def __enter__(self): return self
        def __exit__(self, *error): return True
    return Agreeable()""",
}
