"""Which of kfp's artifacts stands for each output of a stage, and what they are called. Pure.

The paths that stages hand on stay texts: conditions and loops read them, and mlkit finds every file
by itself. The artifacts stand beside them for kfp's console: lineage, metadata, metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from mlkit.core.pipeline import Stage
from mlkit.engines.kubeflow.names import RUN_ARGUMENTS, argument
from mlkit.engines.naming import FreeNames

__all__ = ["artifact_type", "made_arguments", "read_arguments"]

_MODEL_FILES = frozenset(
    {".cbm", ".ckpt", ".h5", ".joblib", ".keras", ".onnx", ".pickle", ".pkl", ".pmml", ".pt"}
    | {".pth", ".safetensors", ".skops", ".ubj"}
)
_DATA_FILES = frozenset(
    {".arrow", ".avro", ".csv", ".db", ".feather", ".hdf5", ".json", ".jsonl", ".ndjson", ".npy"}
    | {".npz", ".orc", ".parquet", ".sqlite", ".tsv", ".xlsx", ".zarr"}
)
_PACKED = frozenset({".bz2", ".gz", ".xz", ".zip", ".zst"})


def artifact_type(stage: Stage, output: str) -> str:
    """Name the class of `kfp.dsl` that stands for an output.

    Parameters
    ----------
    stage : Stage
        The stage.
    output : str
        The name of one of its outputs.

    Returns
    -------
    str
        `Metrics` for a JSON file that is called `metrics` or named under the stage's `metrics`;
        `Model` for what ends as stored models do, and for a `model` or `model.*`; `Dataset` for
        what ends as data do, packed or not, and for folders; `Artifact` for anything else.
    """
    made = stage.outputs[output]
    place = PurePosixPath(made.path)
    endings = [ending.lower() for ending in place.suffixes if ending.lower() not in _PACKED]
    ending = endings[-1] if endings else ""
    measured = {"metrics", *(source.partition(".")[0] for source in stage.metrics.values())}
    if output in measured and place.suffix == ".json":
        return "Metrics"
    if made.is_notebook:
        return "Artifact"
    if ending in _MODEL_FILES or "model" in (output, place.name.partition(".")[0]):
        return "Model"
    return "Dataset" if made.is_folder or ending in _DATA_FILES else "Artifact"


def made_arguments(stage: Stage) -> dict[str, str]:
    """Name the argument by which a component is given the artifact of each output."""
    free = _free(stage)
    return {output: free.new(f"{output}_artifact") for output in stage.outputs}


def read_arguments(stage: Stage, inputs: Iterable[str]) -> dict[str, str]:
    """Name the argument by which a component is given the artifact behind each of some inputs."""
    free = _free(stage)
    for output in stage.outputs:
        free.new(f"{output}_artifact")
    return {name: free.new(f"read_{name}") for name in inputs}


def _free(stage: Stage) -> FreeNames:
    return FreeNames({*RUN_ARGUMENTS, *map(argument, (*stage.inputs, *stage.outputs))})
