"""Libraries with threads of their own compute in a forked kernel as in any other."""

from __future__ import annotations

import pytest

from .conftest import Lab

pytestmark = pytest.mark.kernel

DATA = """
import numpy as np
rng = np.random.default_rng(0)
x = rng.normal(size=(400, 5)); y = (x[:, 0] + rng.normal(size=400) > 0).astype(int)
"""
MODELS = {
    "forest": "from sklearn.ensemble import RandomForestClassifier as Model\n"
    "options = {'n_estimators': 20, 'n_jobs': 2, 'random_state': 0}",
    "boosting": "from sklearn.ensemble import HistGradientBoostingClassifier as Model\n"
    "options = {'max_iter': 20, 'random_state': 0}",
    "xgboost": "from xgboost import XGBClassifier as Model\n"
    "options = {'n_estimators': 20, 'n_jobs': 2}",
    "lightgbm": "from lightgbm import LGBMClassifier as Model\n"
    "options = {'n_estimators': 20, 'n_jobs': 2, 'verbose': -1}",
}
SCORE = "print(Model(**options).fit(x, y).score(x, y) > 0.8)"


@pytest.mark.parametrize("model", sorted(MODELS))
def test_models_with_threads_learn_after_the_fork(forked: Lab, model: str) -> None:
    """They hang if they have computed before the fork; they have only been imported."""
    for _ in range(2):
        assert forked.run(DATA, MODELS[model], SCORE) == "True"


def test_linear_algebra_with_threads_works_after_the_fork(forked: Lab) -> None:
    """OpenBLAS ends its threads before a fork, and starts them anew."""
    assert forked.run(DATA, "print(np.linalg.svd(x @ x.T)[1].shape)") == "(400,)"


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.long
def test_joblib_works_with_processes_and_threads(lab: Lab, backend: str) -> None:
    """Its workers start from `__main__` as the kernel shows it."""
    cell = (
        "from joblib import Parallel, delayed, parallel_config\n"
        "def square(n): return n * n\n"
        f"with parallel_config(backend={backend!r}, n_jobs=2):\n"
        "    print(Parallel()(delayed(square)(n) for n in range(4)))"
    )
    assert lab.run(cell) == "[0, 1, 4, 9]"


@pytest.mark.long
def test_a_search_in_parallel_processes_works(forked: Lab) -> None:
    """Threads inside of processes inside of a forked kernel."""
    cell = (
        "from sklearn.model_selection import GridSearchCV\n"
        "search = GridSearchCV(Model(**options), {'max_depth': [2, 3]}, cv=2, n_jobs=2)\n"
        "print(search.fit(x, y).best_score_ > 0.6)"
    )
    assert forked.run(DATA, MODELS["forest"], cell) == "True"


def test_torn_down_threads_do_not_keep_the_kernel(forked: Lab) -> None:
    """A background thread of the notebook's ends with the kernel."""
    cell = (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=[300], daemon=True).start()"
    )
    assert forked.run(cell, "print('done')") == "done"


def test_what_libraries_import_at_first_use_is_there_already(forked: Lab) -> None:
    """Showing a table and fitting a model on one imports nothing in the kernel."""
    cell = (
        "import sys\n"
        "hidden = next(f for f in sys.meta_path if type(f).__name__ == 'Hidden')\n"
        "ahead = set(hidden._modules)\n"
        "import pandas, sklearn.ensemble\n"
        "before = set(sys.modules) | ahead\n"
        "table = pandas.DataFrame({'x': [1.0, 2.0, 3.0, 4.0]})\n"
        "text = table._repr_html_() + repr(table)\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "StandardScaler().fit_transform(table)\n"
        "print(sorted(set(sys.modules) - before))"
    )
    assert forked.run(cell) == "[]"
