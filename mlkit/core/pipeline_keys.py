"""Every key of a pipeline.yaml, once: what it takes, its default, an example, and what it is for.

The loader allows the keys that stand here and no others, the JSON Schema and the page of reference
are made of them: a key cannot be read without being documented.
"""

from __future__ import annotations

from collections.abc import Mapping
from keyword import kwlist
from typing import Any

from mlkit.core.triggers import TriggerRule
from mlkit.frozen import dataclass

__all__ = ["KEYS", "TITLES", "Key", "keys_of", "pipeline_schema"]

Shape = Mapping[str, Any]
"""A part of a JSON Schema."""

TEXT: Shape = {"type": "string"}
FILLED: Shape = {"type": "string", "minLength": 1}
BOOLEAN: Shape = {"type": "boolean"}
COUNT: Shape = {"type": "integer", "minimum": 0}
TEXTS: Shape = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
DURATION: Shape = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?\s*$"},
        {"type": "number", "minimum": 0, "maximum": 1e9},
    ]
}
SPAN: Shape = {"anyOf": [DURATION["anyOf"][0], {**DURATION["anyOf"][1], "exclusiveMinimum": 0}]}
"""A duration longer than 0, as far as a number shows it."""
QUANTITY: Shape = {
    "anyOf": [
        {"type": "string", "pattern": r"^\d+(\.\d+)?([numkKMGTPE]i?)?$"},
        {"type": "number", "minimum": 0},
    ]
}
SCALAR: Shape = {"type": ["string", "number", "boolean", "null"]}
VARIABLES: Shape = {
    "type": "object",
    "propertyNames": {"pattern": "^(?!MLKIT_|JPY_)[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
NAMED_ANYTHING: Shape = {"type": "object"}


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of pipeline.yaml.

    Parameters
    ----------
    place : str
        Where it stands: one of `TITLES`.
    name : str
        The key.
    takes : str
        The type of its value, for people.
    default : str
        What holds where it is left out, for people.
    example : str
        A line of YAML with it.
    says : str
        What it is for, in one sentence.
    shape : mapping, optional
        What its value must be, as a JSON Schema; None: a mapping with the keys of the place of the
        same name.
    since : str
        The first version that had it.
    required : bool
        Whether it must be there.
    """

    place: str
    name: str
    takes: str
    default: str
    example: str
    says: str
    shape: Shape | None = None
    since: str = "0.1.0"
    required: bool = False


TITLES = {
    "pipeline": "The pipeline",
    "stage": "A stage, under stages",
    "defaults": "defaults: policies that every stage inherits",
    "profile": "A profile, under profiles",
    "retry": "retry: when a failed stage is tried again",
    "wait_for": "wait_for: a file that a stage waits for",
    "notify": "notify: who gets a message",
    "resources": "resources: what an engine that places work gives a stage",
    "volume": "A volume, under volumes",
}
"""The places where keys stand, and their headings."""

_NAME = "^[A-Za-z_][A-Za-z0-9_-]*$"

_PIPELINE = (
    Key(
        place="pipeline",
        name="name",
        takes="text",
        default="none: it must be given",
        example="name: flights",
        says="What the pipeline is called in records, tables and engines.",
        shape=FILLED,
        required=True,
    ),
    Key(
        place="pipeline",
        name="description",
        takes="text",
        default="empty",
        example="description: Will this flight land more than 15 minutes late?",
        says="One sentence about the pipeline, for reports and engines.",
        shape=TEXT,
    ),
    Key(
        place="pipeline",
        name="schedule",
        takes="text: a cron expression of five fields, or `every SPAN`",
        default="none: it runs when it is called",
        example='schedule: "0 2 * * *"',
        says="When `mlkit serve` and the engines run the pipeline, and which intervals "
        "`mlkit backfill` fills.",
        shape=TEXT,
    ),
    Key(
        place="pipeline",
        name="timezone",
        takes="text: an IANA name",
        default="UTC",
        example="timezone: Europe/Berlin",
        says="On whose clock the schedule is read.",
        shape=TEXT,
    ),
    Key(
        place="pipeline",
        name="overlap",
        takes="true or false",
        default="false",
        example="overlap: true",
        says="Whether a scheduled run may begin while the one before is still running.",
        shape=BOOLEAN,
    ),
    Key(
        place="pipeline",
        name="parameters",
        takes="mapping of names to values",
        default="empty",
        example="parameters: {rows: 20000, seed: 42}",
        says="The pipeline's parameters and their defaults; each reaches every stage whose "
        "notebook declares one of that name.",
        shape={
            "type": "object",
            "propertyNames": {"pattern": r"^[^\s\d.-][^\s.-]*$", "not": {"enum": list(kwlist)}},
        },
    ),
    Key(
        place="pipeline",
        name="defaults",
        takes="mapping",
        default="empty",
        example="defaults: {timeout: 10m, retry: {max_retries: 2}}",
        says="Policies that every stage inherits; a stage's own stand over them.",
    ),
    Key(
        place="pipeline",
        name="env",
        takes="mapping of names to texts",
        default="empty",
        example="env: {OMP_NUM_THREADS: 2}",
        says="Environment variables that the kernel of every stage finds set when it starts.",
        shape=VARIABLES,
    ),
    Key(
        place="pipeline",
        name="profiles",
        takes="mapping of names to profiles",
        default="empty",
        example="profiles: {prod: {parameters: {rows: 200000}}}",
        says="Other values for the same pipeline, chosen by `--profile NAME` or `MLKIT_PROFILE`.",
        shape={"type": "object", "additionalProperties": {"$ref": "#/$defs/profile"}},
    ),
    Key(
        place="pipeline",
        name="stages",
        takes="mapping of names to stages",
        default="none: there is at least one",
        example="stages: {collect: {notebook: collect.ipynb}}",
        says="The stages by name; a name holds letters, digits, `_` and `-`, no digit first.",
        shape={
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": _NAME, "not": {"const": "parameters"}},
            "additionalProperties": {"$ref": "#/$defs/stage"},
        },
        required=True,
    ),
)

_STAGE = (
    Key(
        place="stage",
        name="notebook",
        takes="text: a path, relative to this file",
        default="none: it must be given",
        example="notebook: 01-collect.ipynb",
        says="The stage's notebook: `.ipynb`, or `.py` and `.md` that Jupytext reads.",
        shape=FILLED,
        required=True,
    ),
    Key(
        place="stage",
        name="parameters",
        takes="mapping of names to values",
        default="empty",
        example="parameters: {n_estimators: 200}",
        says="Values for this stage only; they stand over the pipeline's.",
        shape=NAMED_ANYTHING,
    ),
    Key(
        place="stage",
        name="inputs",
        takes="mapping of names to sources",
        default="empty",
        example="inputs: {flights: collect.flights}",
        says="What the stage reads: `STAGE.OUTPUT`, `file:PATH` for a file (`file:PATH/` for a "
        "folder) from outside, or `run:NAME/STAGE.OUTPUT` for what another run has made.",
        shape={"type": "object", "additionalProperties": FILLED},
    ),
    Key(
        place="stage",
        name="outputs",
        takes="mapping of names to file names",
        default="empty",
        example="outputs: {metrics: metrics.json, parts: parts/, extra: 'extra.json?'}",
        says="What the stage writes: a file, a folder (`/` at the end), what may be missing (`?` "
        "at the end), or the executed notebook (`@notebook.ipynb`, `@notebook.html`).",
        shape={"type": "object", "additionalProperties": FILLED},
    ),
    Key(
        place="stage",
        name="after",
        takes="list of stages",
        default="empty",
        example="after: [validate]",
        says="Stages that come first although nothing of theirs is read.",
        shape=TEXTS,
    ),
    Key(
        place="stage",
        name="when",
        takes="mapping of STAGE.OUTPUT to a value or a list of values",
        default="empty: always",
        example="when: {select.decision: register}",
        says="The stage is skipped unless that JSON artifact holds that value, or one of them.",
        shape=NAMED_ANYTHING,
    ),
    Key(
        place="stage",
        name="foreach",
        takes="mapping of parameters to lists",
        default="none: one instance",
        example="foreach: {model: [forest, boosting], seed: parameters.seeds}",
        says="One instance for each value, or for each combination: a list, `STAGE.OUTPUT` of a "
        "JSON list, or `parameters.NAME`.",
        shape={
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [FILLED, {"type": "array", "items": SCALAR}]},
        },
    ),
    Key(
        place="stage",
        name="wait_for",
        takes="mapping",
        default="none",
        example="wait_for: {path: incoming/*.csv, timeout: 6h}",
        says="A sensor: the stage starts when a file matches.",
    ),
    Key(
        place="stage",
        name="kernel",
        takes="text: the name of a Jupyter kernel",
        default="the one that the notebook names, if that is not mlkit's own Python",
        example="kernel: ir",
        says="The kernel that runs the notebook: another environment, or another language.",
        shape=TEXT,
    ),
    Key(
        place="stage",
        name="env",
        takes="mapping of names to texts",
        default="empty",
        example="env: {MODE: thorough}",
        says="Environment variables of this stage's kernel, over those of the pipeline.",
        shape=VARIABLES,
    ),
    Key(
        place="stage",
        name="metrics",
        takes="mapping of names to OUTPUT.KEY",
        default="the numbers of outputs called `metrics`",
        example="metrics: {auc: scores.test.roc_auc}",
        says="Which numbers of the stage's JSON artifacts are metrics, in tables and reports.",
        shape={
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": r"^[^.]*\.[\s\S]*[^.][\s\S]*$"},
        },
    ),
)


def _policies(place: str) -> tuple[Key, ...]:
    """The keys that a stage and `defaults` have in common."""
    return (
        Key(
            place=place,
            name="retry",
            takes="mapping",
            default="not tried again",
            example="retry: {max_retries: 3, delay: 5s}",
            says="When and how often a failed stage is tried again; merged key by key with what "
            "is inherited.",
        ),
        Key(
            place=place,
            name="timeout",
            takes="duration",
            default="none",
            example="timeout: 10m",
            says="The deadline of a whole attempt, not of a cell.",
            shape=SPAN,
        ),
        Key(
            place=place,
            name="trigger",
            takes="one of " + ", ".join(f"`{rule}`" for rule in TriggerRule),
            default="`all_success`",
            example="trigger: none_failed_min_one_success",
            says="Which states of the stages upstream let the stage start, with Airflow's meaning.",
            shape={"enum": [rule.value for rule in TriggerRule]},
        ),
        Key(
            place=place,
            name="cache",
            takes="true or false",
            default="true for a stage with outputs, false for one without",
            example="cache: false",
            says="Whether an earlier result is reused where today's run would compute the same.",
            shape=BOOLEAN,
        ),
        Key(
            place=place,
            name="critical",
            takes="true or false",
            default="true",
            example="critical: false",
            says="Whether the stage's failure fails the run.",
            shape=BOOLEAN,
        ),
        Key(
            place=place,
            name="depends_on_past",
            takes="true or false",
            default="false",
            example="depends_on_past: true",
            says="Whether the stage waits for its own success in the interval of the schedule "
            "before, and fails if there was none; one that was skipped there counts as well. The "
            "first interval, and a run that is for none, have no past.",
            shape=BOOLEAN,
        ),
        Key(
            place=place,
            name="notify",
            takes="mapping",
            default="nobody",
            example='notify: {on_failure: ["${SLACK_URL}"]}',
            says="Who gets a message when the stage ends.",
        ),
        Key(
            place=place,
            name="resources",
            takes="mapping",
            default="the engine's own",
            example="resources: {cpu: 2, memory: 4Gi}",
            says="What an engine that places work shall give the stage.",
        ),
        Key(
            place=place,
            name="image",
            takes="text: the name of a container image",
            default="the engine's own",
            example="image: registry.example.org/flights:1",
            says="The image in which an engine that runs containers runs the stage.",
            shape=TEXT,
        ),
        Key(
            place=place,
            name="volumes",
            takes="mapping of names to volumes",
            default="none",
            example="volumes: {work: {claim: data, path: /data}}",
            says="What an engine that places work mounts for the stage; merged name by name with "
            "`defaults`. Stages on several machines hand on artifacts by a volume that holds the "
            "runs folder, or by a URL in `--runs-dir`.",
            shape={
                "type": "object",
                "propertyNames": {"pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"},
                "additionalProperties": {"$ref": "#/$defs/volume"},
            },
        ),
    )


_RETRY = (
    Key(
        place="retry",
        name="max_retries",
        takes="whole number, 0 or more",
        default="0",
        example="retry: {max_retries: 3}",
        says="Further attempts after the first: 3 means up to 4 attempts.",
        shape=COUNT,
    ),
    Key(
        place="retry",
        name="delay",
        takes="duration",
        default="1s",
        example="retry: {max_retries: 3, delay: 30s}",
        says="How long to wait before the first retry.",
        shape=DURATION,
    ),
    Key(
        place="retry",
        name="backoff",
        takes="number, 1 or more",
        default="2",
        example="retry: {max_retries: 3, backoff: 1.5}",
        says="The factor between one delay and the next.",
        shape={"type": "number", "minimum": 1, "maximum": 1e12},
    ),
    Key(
        place="retry",
        name="max_delay",
        takes="duration",
        default="none",
        example="retry: {max_retries: 9, max_delay: 5m}",
        says="The longest delay.",
        shape=DURATION,
    ),
    Key(
        place="retry",
        name="jitter",
        takes="true or false",
        default="true",
        example="retry: {max_retries: 3, jitter: false}",
        says="Whether each delay is drawn at random between its half and its whole length.",
        shape=BOOLEAN,
    ),
    Key(
        place="retry",
        name="on",
        takes="list of names of exception classes",
        default="every failure but `MissingOutput` and `SystemExit`",
        example="retry: {max_retries: 3, on: [ConnectionError, TimeoutError]}",
        says="Which failures are tried again, by the bare name of the class or of a base.",
        shape=TEXTS,
    ),
)

_WAIT_FOR = (
    Key(
        place="wait_for",
        name="path",
        takes="text: a path or a pattern, relative to this file",
        default="none: it must be given",
        example="wait_for: {path: incoming/*.csv}",
        says="The file to wait for.",
        shape=FILLED,
        required=True,
    ),
    Key(
        place="wait_for",
        name="every",
        takes="duration",
        default="60s",
        example="wait_for: {path: done.txt, every: 5s}",
        says="How long to wait between two looks.",
        shape=SPAN,
    ),
    Key(
        place="wait_for",
        name="timeout",
        takes="duration",
        default="1h",
        example="wait_for: {path: done.txt, timeout: 6h}",
        says="After how long the stage has failed.",
        shape=DURATION,
    ),
)

_NOTIFY = (
    Key(
        place="notify",
        name="on_failure",
        takes="list of Apprise addresses",
        default="nobody",
        example='notify: {on_failure: ["json://localhost:8080/hook"]}',
        says="Who gets a message when the stage has failed.",
        shape=TEXTS,
    ),
    Key(
        place="notify",
        name="on_success",
        takes="list of Apprise addresses",
        default="nobody",
        example='notify: {on_success: ["${MAIL_URL}"]}',
        says="Who gets a message when the stage has succeeded.",
        shape=TEXTS,
    ),
)

_RESOURCES = (
    Key(
        place="resources",
        name="cpu",
        takes="a quantity of Kubernetes",
        default="the engine's own",
        example="resources: {cpu: 500m}",
        says="Processors: `2`, or `500m` for a half.",
        shape=QUANTITY,
    ),
    Key(
        place="resources",
        name="memory",
        takes="a quantity of Kubernetes",
        default="the engine's own",
        example="resources: {memory: 4Gi}",
        says="Memory.",
        shape=QUANTITY,
    ),
    Key(
        place="resources",
        name="gpu",
        takes="whole number, 0 or more",
        default="0",
        example="resources: {gpu: 1}",
        says="Graphics processors.",
        shape=COUNT,
    ),
    Key(
        place="resources",
        name="node_selector",
        takes="mapping of labels to values",
        default="any node",
        example="resources: {node_selector: {disk: ssd}}",
        says="The labels of the nodes on which the stage may run.",
        shape=NAMED_ANYTHING,
    ),
)

_VOLUME = (
    *(
        Key(
            place="volume",
            name=name,
            takes="text: its name in the cluster",
            default="one of claim, config_map and secret must stand there",
            example=f"volumes: {{work: {{{name}: {source}, path: /{folder}}}}}",
            says=says,
            shape=FILLED,
        )
        for name, source, folder, says in (
            ("claim", "data", "data", "A persistent volume claim, which can be written."),
            ("config_map", "settings", "etc/app", "The entries of a config map, as files."),
            ("secret", "keys", "etc/keys", "The entries of a secret, as files."),
        )
    ),
    Key(
        place="volume",
        name="path",
        takes="text: an absolute path",
        default="must be named",
        example="volumes: {work: {claim: data, path: /data}}",
        says="Where the stage finds it.",
        shape={"type": "string", "pattern": "^/[^:]+$"},
        required=True,
    ),
)

_PROFILE = (
    Key(
        place="profile",
        name="parameters",
        takes="mapping of NAME or STAGE.NAME to values",
        default="as in the pipeline",
        example="parameters: {rows: 200000, train.n_estimators: 500}",
        says="Values that stand over those of the file.",
        shape=NAMED_ANYTHING,
    ),
    Key(
        place="profile",
        name="defaults",
        takes="mapping",
        default="as in the pipeline",
        example="defaults: {timeout: 2h}",
        says="Policies, merged key by key with the pipeline's.",
    ),
    Key(
        place="profile",
        name="env",
        takes="mapping of names to texts",
        default="as in the pipeline",
        example="env: {OMP_NUM_THREADS: 8}",
        says="Environment variables, over the pipeline's and below a stage's own.",
        shape=VARIABLES,
    ),
    Key(
        place="profile",
        name="schedule",
        takes="text: a cron expression of five fields, or `every SPAN`",
        default="as in the pipeline",
        example="schedule: every 6h",
        says="The schedule, in place of the pipeline's.",
        shape=TEXT,
    ),
)

KEYS = (
    *_PIPELINE,
    *_STAGE,
    *_policies("stage"),
    *_policies("defaults"),
    *_PROFILE,
    *_RETRY,
    *_WAIT_FOR,
    *_NOTIFY,
    *_RESOURCES,
    *_VOLUME,
)
"""All of them, place by place."""


def keys_of(place: str) -> tuple[str, ...]:
    """Give the names of the keys that a place may hold, in the order of the reference.

    Parameters
    ----------
    place : str
        One of `TITLES`.
    """
    return tuple(key.name for key in KEYS if key.place == place)


def pipeline_schema() -> dict[str, Any]:
    """Give the JSON Schema of a pipeline.yaml, for editors and other programs.

    It says what can be told from the file alone and without reading a text: keys, types, and what
    must be there. What it refuses the loader refuses, too.
    """
    top = _object("pipeline")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pipeline.yaml of mlkit",
        **top,
        "$defs": {place: _object(place) for place in TITLES if place != "pipeline"},
    }


def _object(place: str) -> dict[str, Any]:
    keys = [key for key in KEYS if key.place == place]
    required = [key.name for key in keys if key.required]
    return {
        "description": TITLES[place],
        "type": "object",
        "properties": {key.name: _property(key) for key in keys},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _property(key: Key) -> dict[str, Any]:
    """The schema of a key's value; a key without a value counts as left out."""
    shape = key.shape or {"$ref": f"#/$defs/{key.name}"}
    return {
        "description": f"{key.says} Default: {key.default}. Example: {key.example}",
        "anyOf": [shape] if key.required else [shape, {"type": "null"}],
    }
