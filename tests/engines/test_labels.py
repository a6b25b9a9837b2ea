"""What an engine writes between the brackets of `STAGE[VALUE]`, mlkit reads as that value."""

from __future__ import annotations

import json
import tempfile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlkit.core.instances import labels_of, written
from tests.engines.carried import loaded

ODD = st.sampled_from(list(',[]*" \n\t\x7f\u200b\u200d\u2028\xa0é\U0001f98a\U000e0001\ud800'))


ARGO = loaded("argo", "mlkit_task")
KUBEFLOW = loaded("kubeflow", "mlkit_components")
PREFECT = loaded("prefect", "mlkit_upstream")


def _argo(value: Any) -> str:
    (text,) = json.loads(ARGO.labels_of([value], as_float=False))
    return str(ARGO.unquote(text)).removeprefix("[").removesuffix("]")


def _kubeflow(value: Any) -> str:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        json.dump([value], file)
        file.flush()
        (text,) = KUBEFLOW.read_instances("s", file.name, as_float=False)
    return str(text).removeprefix("s[").removesuffix("]")


LABELS = {
    "airflow": loaded("airflow", "mlkit_dag").label,
    "argo": _argo,
    "dagster": loaded("dagster", "mlkit_dagster").label,
    "kubeflow": _kubeflow,
    "prefect": PREFECT._label,
    "stepfunctions": loaded("stepfunctions", "mlkit_worker")._label,
}


@pytest.mark.parametrize("engine", sorted(LABELS))
@settings(max_examples=60, deadline=None)
@given(value=st.text(ODD | st.characters(), max_size=5) | st.integers() | st.booleans())
@example(value="a\nb")
@example(value="c\u200b")
def test_a_label_means_its_value(engine: str, value: Any) -> None:
    """Also where it holds what cannot be seen; and a command line can carry it."""
    text = LABELS[engine](value)
    assert labels_of(f"s[{text}]") == (written(value),)
    text.encode("utf-8")


@pytest.mark.parametrize("value", ["a", "c,d", "a\nb", "c\u200b", "é\u200b", '"'])
def test_prefect_finds_the_task_that_a_reference_names(value: str) -> None:
    """The pipeline's text of a value and the flow's are the same value."""
    futures, values = ["mine", "other"], [PREFECT._label(value), "x"]
    assert PREFECT.picked(futures, values, written(value)) == "mine"
    assert PREFECT.picked(futures, values, "y") is None
