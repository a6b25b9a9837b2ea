"""Small kfp pipelines, right and wrong, for the tests of the reader and of kfp itself."""

from __future__ import annotations

__all__ = ["GOOD", "WRONG", "pipeline"]

_HEAD = """
from typing import NamedTuple

from kfp import compiler, components, dsl, kubernetes
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(rows: int = 5, data: Output[Dataset] = None) -> float:
    import json

    return float(len(json.dumps(rows)))


@dsl.component(packages_to_install=["pandas"])
def use(value: float, text: str = "") -> NamedTuple("Outputs", [("a", str), ("b", int)]):
    import pandas

    return pandas.__version__, 1
"""


def pipeline(body: str, before: str = "") -> str:
    """A file with two components, something before the pipeline, and the pipeline's body."""
    head = _HEAD.replace(", data: Output[Dataset] = None", "")
    return f'{head}{before}\n\n@dsl.pipeline(name="p")\ndef p():\n{body}'


GOOD = {
    "plain": pipeline("    make()\n"),
    "groups": pipeline(
        "    one = make(rows=3)\n"
        "    with dsl.If(one.output > 1.0):\n"
        "        with dsl.ParallelFor(['a', 'b']) as item:\n"
        "            two = use(value=one.output, text=item)\n"
        "        three = use(value=one.outputs['Output'])\n"
        "        three.after(two)\n"
    ),
    "settings": pipeline(
        "    one = make().set_retry(2, backoff_duration='1s')\n"
        "    one.set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(1)\n"
        "    kubernetes.add_node_selector(one, label_key='disk', label_value='ssd')\n"
    ),
    "a container": pipeline(
        "    show(text=use(value=1.0).outputs['a'])\n",
        "\n\n@dsl.container_component\ndef show(text: str):\n"
        "    return dsl.ContainerSpec(image='alpine', command=['echo'], args=[text])\n",
    ),
    "a loaded component": pipeline(
        "    make()\n", "\n\nother = components.load_component_from_text\n"
    ),
}
"""Files that kfp compiles and that mean what they say."""

WRONG = {
    "syntax": pipeline("    make(\n"),
    "import": pipeline("    make()\n    dsl.ContainerOp(name='x', image='alpine')\n"),
    "name": pipeline("    make()\n    nothing()\n"),
    "annotation": pipeline(
        "    make()\n", "\n\n@dsl.component\ndef show(text):\n    print(text)\n"
    ),
    "argument": pipeline("    make(5)\n"),
    "output": pipeline("    one = use(value=1.0)\n    use(value=one.output)\n"),
    "method": pipeline("    make().set_retry(2, policy='Always')\n"),
    "pipeline": pipeline("    pass\n"),
    "moved": pipeline("    make().set_gpu_limit(1)\n"),
    "self_contained": pipeline(
        "    make()\n",
        "\n\nLIMIT = 3\n\n\n@dsl.component\ndef show(n: int) -> bool:\n    return n < LIMIT\n",
    ),
    "packages": pipeline("    make()\n", "\n\n@dsl.component\ndef show():\n    import sklearn\n"),
    "python_if": pipeline("    one = make()\n    if one.output > 1.0:\n        make()\n"),
    "unreadable": pipeline("    for rows in (1, 2):\n        make(rows=rows)\n    make()\n"),
}
"""Rule → a file that breaks it and no other."""
