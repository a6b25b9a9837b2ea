"""The reader of DAG files: each rule by itself, and all of them against a real Airflow.

Airflow lives in an environment of its own (`make engines`, or `MLKIT_AIRFLOW_PYTHON`).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.grading.listings import airflow_names
from mlkit.grading.listings.dag_file import read_dag
from mlkit.grading.listings.dag_rules import ADVICE, REFUSED, dag_file, dag_problems

HEAD = """
from datetime import datetime, timedelta
from airflow.sdk import DAG, chain, cross_downstream, task
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
"""
DAY = "start_date=datetime(2013, 1, 1)"
WITH = f"{HEAD}\nwith DAG('d', {DAY}) as dag:\n"
TWO = f"{WITH}    a = EmptyOperator(task_id='a')\n    b = EmptyOperator(task_id='b')\n"
FOUR = f"{TWO}    c = EmptyOperator(task_id='c')\n    d = EmptyOperator(task_id='d')\n"
BRANCH = f"{FOUR}    way = BranchPythonOperator(task_id='way', python_callable=print)\n"
BRANCH += "    e = EmptyOperator(task_id='e', trigger_rule='{rule}')\n    way >> [a, b] >> e\n"

GOOD = {
    "a plain DAG": f"{TWO}    a >> b\n",
    "chain pairs equal lists": f"{FOUR}    chain([a, b], [c, d])\n",
    "cross_downstream": f"{FOUR}    cross_downstream([a, b], [c, d])\n",
    "backwards": f"{FOUR}    d << [b, c]\n    a.set_downstream([b, c])\n    d.set_upstream(a)\n",
    "a list of names": f"{FOUR}    some = [b, c]\n    a >> some\n    some >> d\n",
    "default arguments": f"{HEAD}\nwith DAG('d', {DAY}, default_args=dict(retries=2)) as dag:\n"
    "    BashOperator(task_id='x', bash_command='true') >> EmptyOperator(task_id='y')\n",
    "task functions": f"{WITH}    @task\n    def one():\n        return 1\n"
    "    @task.branch(retries=1)\n    def two(number):\n        return 'x'\n"
    "    x = EmptyOperator(task_id='x')\n    two(one()) >> x\n    one() >> x\n"
    "    one.override(task_id='three')() >> x\n",
    "a function that makes the DAG": f"{HEAD}\nfrom airflow.sdk import dag\n@dag({DAY})\n"
    "def d():\n    EmptyOperator(task_id='a') >> EmptyOperator(task_id='b')\nmade = d()\n",
    "a join that lets skipped ways pass": BRANCH.format(rule="none_failed_min_one_success"),
}
WRONG = {
    "syntax": f"{TWO}    a >> (b\n",
    "dag": "from datetime import datetime\n",
    "import": f"{HEAD}\nfrom airflow.operators.dummy import DummyOperator\nDAG('d')\n",
    "name": f"{TWO}    a >> nothing >> b\n",
    "argument": f"{HEAD}\nDAG('d', schedule_interval='@daily')\n",
    "task_id": f"{WITH}    EmptyOperator(task_id='a')\n    EmptyOperator(task_id='a')\n",
    "trigger_rule": f"{WITH}    EmptyOperator(task_id='a', trigger_rule='none_skipped_yet')\n",
    "edge": f"{FOUR}    a >> [b, c] >> [d]\n",
    "cycle": f"{TWO}    a >> b >> a\n",
    "moved": f"{HEAD}\nfrom airflow.operators.python import ShortCircuitOperator\nDAG('d')\n",
    "unreadable": f"{WITH}    for name in 'ab':\n        EmptyOperator(task_id=name)\n",
    "join": BRANCH.format(rule="all_success"),
    "start_date": f"{HEAD}\nDAG('d', start_date=datetime.now())\n",
    "catchup": f"{HEAD}\nDAG('d', {DAY}, catchup=True)\n",
    "path": f"{WITH}    BashOperator(task_id='a', bash_command='python a.py > /data/a.csv')\n",
}
MORE_REFUSED = {
    "a task's unknown argument": f"{WITH}    EmptyOperator(task_id='a', provide_context=True)\n",
    "a task's missing argument": f"{WITH}    BashOperator(task_id='a')\n",
    "a task without an id": f"{WITH}    EmptyOperator()\n",
    "a DAG without an id": f"{HEAD}\nDAG({DAY})\n",
    "a DAG's second argument by position": f"{HEAD}\nDAG('d', 'about', {DAY})\n",
    "a task upstream of itself": f"{TWO}    a >> a\n",
    "an old module": "from airflow.operators.bash_operator import BashOperator\n"
    + f"{HEAD}\nDAG('d')\n",
    "days_ago": f"from airflow.utils.dates import days_ago\n{HEAD}\nDAG('d')\n",
}


def _rules(source: str) -> set[str]:
    return {problem.rule for problem in dag_problems(source)}


@pytest.mark.parametrize("name", GOOD)
def test_a_right_file_has_no_problems(name: str) -> None:
    """Whichever way it is written."""
    assert dag_problems(GOOD[name]) == []


@pytest.mark.parametrize("rule", [*REFUSED, *ADVICE])
def test_each_rule_finds_its_mistake_and_no_other(rule: str) -> None:
    """A file with one mistake breaks one rule."""
    assert _rules(WRONG[rule]) == {rule}


@pytest.mark.parametrize("name", MORE_REFUSED)
def test_what_airflow_refuses_is_found(name: str) -> None:
    """More ways to break a rule."""
    assert _rules(MORE_REFUSED[name]) & set(REFUSED)


def test_edges_and_settings_are_read() -> None:
    """Chains, lists, default arguments, results handed on."""
    assert read_dag(GOOD["chain pairs equal lists"]).edges == {("a", "c"), ("b", "d")}
    crossed = read_dag(GOOD["cross_downstream"]).edges
    assert crossed == {("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}
    functions = read_dag(GOOD["task functions"])
    assert set(functions.tasks) == {"one", "two", "x", "one__1", "three"}
    assert functions.edges == {("one", "two"), ("two", "x"), ("one__1", "x"), ("three", "x")}
    assert read_dag(GOOD["default arguments"]).tasks["y"]["retries"] == 2
    assert read_dag(GOOD["a plain DAG"]).settings["start_date"] == "2013-01-01"


def test_a_file_is_graded_by_what_stands_in_it() -> None:
    """Tasks, edges, settings and rules, each by itself."""
    source = f"{HEAD}\nwith DAG('d', {DAY}, schedule='@daily'):\n    EmptyOperator(task_id='a')\n"
    assert dag_file(source, {"tasks": ["a"], "edges": [], "settings": {"schedule": "@daily"}})
    assert not dag_file(source, {"tasks": ["a", "b"]})
    assert not dag_file(source, {"edges": [["a", "b"]]})
    assert not dag_file(source, {"settings": {"schedule": "@hourly"}})
    assert not dag_file(source, {"task_settings": {"a": {"retries": 3}}})
    assert not dag_file(source, {"branches": ["a"]})
    assert not dag_file(WRONG["cycle"], {"free_of": ["cycle"]})
    assert not dag_file(17, {})


HOSTILE = {
    "empty": "",
    "a null byte": "\0",
    "brackets": "(" * 5000,
    "signs": "x = " + "-" * 3000 + "1",
    "a long chain": f"{TWO}    " + "a >> " * 3500 + "b\n",
    "doubling texts": "a = 'x' * 9\nb = 'xxxx'\n" + "b = f'{b}{b}'\n" * 1000,
    "doubling lists": f"{TWO}    x = [a, b]\n" + "    x = [x, x]\n" * 900,
    "many tasks": f"{WITH}    @task\n    def f(): ...\n" + "    f()\n" * 2000,
    "many edges": f"{WITH}    @task\n    def f(): ...\n    x = [" + "f()," * 150 + "]\n"
    "    y = [" + "f()," * 50 + "]\n" + "    chain(x, y, x)\n" * 500,
    "one long word": f"{WITH}    BashOperator(task_id='a', bash_command='" + "x." * 9000 + "')\n",
    "too long": "x = 1\n" * 5000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_makes_the_reader_fail_or_hang(name: str) -> None:
    """It is read outside the sandbox, so it must bear anything."""
    began = time.process_time()
    assert isinstance(dag_problems(HOSTILE[name]), list)
    assert time.process_time() - began < 5


IN_AIRFLOW = r"""
import importlib, inspect, json, sys, warnings
warnings.simplefilter("ignore")
from airflow.sdk import DAG, BaseOperator, TriggerRule
from airflow.sdk.definitions._internal.contextmanager import DagContext
asked = json.load(sys.stdin)
def load(source):
    made, init = [], DAG.__init__
    names = {}
    try:
        exec(compile(source, "dag", "exec"), names)
        dags = [v for v in names.values() if isinstance(v, DAG)]
        dags = dags or list(DagContext.autoregistered_dags)
        dags = [d[0] if isinstance(d, tuple) else d for d in dags]
        for dag in dags:
            dag.check_cycle()
        tasks = {t.task_id: sorted(t.downstream_task_ids) for d in dags for t in d.tasks}
        return {"error": None, "edges": sorted([u, d] for u in tasks for d in tasks[u])}
    except BaseException as error:
        return {"error": type(error).__name__}
    finally:
        DagContext.autoregistered_dags.clear()
def has(module, name):
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False
def arguments(function):
    return sorted(set(inspect.signature(function).parameters) - {"self", "kwargs"})
json.dump({
    "loaded": {name: load(source) for name, source in asked["sources"].items()},
    "absent": [pair for pair in asked["homes"] if not has(*pair)],
    "dag": arguments(DAG.__init__), "task": arguments(BaseOperator.__init__),
    "rules": sorted(rule.value for rule in TriggerRule),
}, open(sys.argv[1], "w"))
"""


@cache
def _airflow(folder: Path) -> dict[str, Any]:
    """What a real Airflow says of all files and names above."""
    python = engine_python(ENGINES["airflow"], os.environ)
    homes = [[module, name] for name, module in airflow_names.HOMES.items()]
    homes += [[module, name] for module, names in airflow_names.PRESENT.items() for name in names]
    files = {f"wrong {rule}": text for rule, text in WRONG.items()}
    files |= {f"good {name}": text for name, text in GOOD.items()}
    files |= {f"refused {name}": text for name, text in MORE_REFUSED.items()}
    answer = folder / "answer.json"
    subprocess.run(
        [python, "-c", IN_AIRFLOW, str(answer)],
        input=json.dumps({"sources": files, "homes": homes}),
        text=True,
        check=True,
        timeout=200,
        env={**os.environ, "AIRFLOW_HOME": str(folder)},
        stdout=subprocess.DEVNULL,
    )
    result: dict[str, Any] = json.loads(answer.read_text())
    return result


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Its answers, asked once."""
    return _airflow(tmp_path_factory.mktemp("airflow"))


@pytest.mark.engine
def test_the_rules_are_those_of_a_real_airflow(airflow: dict[str, Any]) -> None:
    """What the reader calls refused does not load there; advice and right files do."""
    refused = {name for name, about in airflow["loaded"].items() if about["error"]}
    wanted = {f"wrong {rule}" for rule in REFUSED}
    assert refused == wanted | {f"refused {name}" for name in MORE_REFUSED}


@pytest.mark.engine
def test_the_edges_are_those_of_a_real_airflow(airflow: dict[str, Any]) -> None:
    """For every right file."""
    theirs = {name: airflow["loaded"][f"good {name}"]["edges"] for name in GOOD}
    assert theirs == {n: sorted(map(list, read_dag(text).edges)) for n, text in GOOD.items()}


@pytest.mark.engine
def test_the_names_are_those_of_a_real_airflow(airflow: dict[str, Any]) -> None:
    """Homes, arguments and trigger rules."""
    assert airflow["absent"] == []
    assert airflow["dag"] == sorted(airflow_names.DAG_ARGUMENTS)
    assert airflow["task"] == sorted(airflow_names.TASK_ARGUMENTS)
    assert airflow["rules"] == sorted(airflow_names.TRIGGER_RULES)
