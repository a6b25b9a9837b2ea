"""What the reader of DAG files knows of Airflow 3: homes of names, arguments, trigger rules.

Written down from Airflow 3.3 with its standard provider 1.21; a test holds it against a real
Airflow where one is installed.
"""

from __future__ import annotations

__all__ = [
    "BRANCHING",
    "DAG_ARGUMENTS",
    "HOMES",
    "OPERATOR_ARGUMENTS",
    "PRESENT",
    "RENAMED",
    "REQUIRED",
    "TASK_ARGUMENTS",
    "TRIGGER_RULES",
]

_STANDARD = "airflow.providers.standard"

HOMES = {
    **dict.fromkeys(("DAG", "dag", "task", "TaskGroup", "task_group"), "airflow.sdk"),
    **dict.fromkeys(("chain", "cross_downstream", "Label", "TriggerRule"), "airflow.sdk"),
    **dict.fromkeys(("BaseOperator", "Asset", "Variable", "Param"), "airflow.sdk"),
    **dict.fromkeys(("Connection", "get_current_context"), "airflow.sdk"),
    "EmptyOperator": f"{_STANDARD}.operators.empty",
    "BashOperator": f"{_STANDARD}.operators.bash",
    "PythonOperator": f"{_STANDARD}.operators.python",
    "BranchPythonOperator": f"{_STANDARD}.operators.python",
    "ShortCircuitOperator": f"{_STANDARD}.operators.python",
    "LatestOnlyOperator": f"{_STANDARD}.operators.latest_only",
    "TriggerDagRunOperator": f"{_STANDARD}.operators.trigger_dagrun",
    "FileSensor": f"{_STANDARD}.sensors.filesystem",
    "PythonSensor": f"{_STANDARD}.sensors.python",
    "BashSensor": f"{_STANDARD}.sensors.bash",
}
"""Name → the module that it is imported from in Airflow 3."""

PRESENT = {
    "airflow": ("DAG",),
    "airflow.models": ("DAG", "Variable", "Connection"),
    "airflow.models.dag": ("DAG",),
    "airflow.models.baseoperator": ("BaseOperator", "chain", "cross_downstream"),
    "airflow.decorators": ("dag", "task", "task_group"),
    "airflow.operators.bash": ("BashOperator",),
    "airflow.operators.empty": ("EmptyOperator",),
    "airflow.operators.python": (
        "PythonOperator",
        "BranchPythonOperator",
        "ShortCircuitOperator",
    ),
    "airflow.sensors.filesystem": ("FileSensor",),
    "airflow.utils.task_group": ("TaskGroup",),
    "airflow.utils.trigger_rule": ("TriggerRule",),
    "airflow.task.trigger_rule": ("TriggerRule",),
}
"""Older homes that Airflow 3 still answers to, most of them with a warning."""

DAG_ARGUMENTS = frozenset(
    [
        "dag_id",
        "description",
        "default_args",
        "start_date",
        "end_date",
        "schedule",
        "template_searchpath",
        "template_undefined",
        "user_defined_macros",
        "user_defined_filters",
        "max_active_tasks",
        "max_active_runs",
        "max_consecutive_failed_dag_runs",
        "dagrun_timeout",
        "deadline",
        "sla_miss_callback",
        "catchup",
        "on_success_callback",
        "on_failure_callback",
        "doc_md",
        "params",
        "access_control",
        "is_paused_upon_creation",
        "jinja_environment_kwargs",
        "render_template_as_native_obj",
        "tags",
        "owner_links",
        "auto_register",
        "fail_fast",
        "allowed_run_types",
        "dag_display_name",
        "task_group",
        "disable_bundle_versioning",
        "rerun_with_latest_version",
    ]
)

TASK_ARGUMENTS = frozenset(
    [
        "task_id",
        "owner",
        "email",
        "email_on_retry",
        "email_on_failure",
        "retries",
        "retry_delay",
        "retry_exponential_backoff",
        "max_retry_delay",
        "retry_policy",
        "start_date",
        "end_date",
        "depends_on_past",
        "ignore_first_depends_on_past",
        "wait_for_past_depends_before_skipping",
        "wait_for_downstream",
        "dag",
        "params",
        "default_args",
        "priority_weight",
        "weight_rule",
        "queue",
        "pool",
        "pool_slots",
        "sla",
        "execution_timeout",
        "on_execute_callback",
        "on_failure_callback",
        "on_success_callback",
        "on_retry_callback",
        "on_skipped_callback",
        "pre_execute",
        "post_execute",
        "trigger_rule",
        "resources",
        "run_as_user",
        "map_index_template",
        "max_active_tis_per_dag",
        "max_active_tis_per_dagrun",
        "executor",
        "executor_config",
        "do_xcom_push",
        "multiple_outputs",
        "inlets",
        "outlets",
        "task_group",
        "doc",
        "doc_md",
        "doc_json",
        "doc_yaml",
        "doc_rst",
        "task_display_name",
        "logger_name",
        "allow_nested_operators",
        "render_template_as_native_obj",
    ]
)

_PYTHON = frozenset(
    [
        "python_callable",
        "op_args",
        "op_kwargs",
        "templates_dict",
        "templates_exts",
        "show_return_value_in_logs",
    ]
)

OPERATOR_ARGUMENTS = {
    "EmptyOperator": frozenset[str](),
    "BashOperator": frozenset(
        [
            "bash_command",
            "env",
            "append_env",
            "output_encoding",
            "skip_on_exit_code",
            "cwd",
            "output_processor",
        ]
    ),
    "PythonOperator": _PYTHON,
    "BranchPythonOperator": _PYTHON,
    "ShortCircuitOperator": _PYTHON | {"ignore_downstream_trigger_rules"},
}
"""What an operator takes besides `TASK_ARGUMENTS`; others' arguments are not checked."""

RENAMED = {"DummyOperator": "EmptyOperator", "SubDagOperator": "TaskGroup"}

REQUIRED = {
    "BashOperator": ("bash_command",),
    **dict.fromkeys(
        ("PythonOperator", "BranchPythonOperator", "ShortCircuitOperator"), ("python_callable",)
    ),
}

BRANCHING = frozenset(["BranchPythonOperator", "task.branch"])

TRIGGER_RULES = frozenset(
    [
        "all_success",
        "all_failed",
        "all_done",
        "all_done_min_one_success",
        "all_done_setup_success",
        "one_success",
        "one_failed",
        "one_done",
        "all_skipped",
        "none_failed",
        "none_skipped",
        "none_failed_min_one_success",
        "always",
    ]
)
