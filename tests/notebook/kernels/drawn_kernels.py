"""Run one program in kernels of every kind, in this process's surroundings; not a test itself.

Given as JSON on standard input: the cells, what is imported ahead, and the folder to work in.
Printed: what each kind of kernel has printed, as lines in order of the alphabet.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mlkit.notebook.kernels import Kernels, open_kernels
from mlkit.notebook.kernels.kernel_supply import ForkKernels
from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes

from .conftest import Lab, start_environment, wait_until

OF_ITS_OWN = re.compile(r"ipykernel_\d+/\d+|0x[0-9a-f]{6,}")


def printed(kernels: Kernels, folder: Path, cells: Sequence[str]) -> list[str]:
    """What the cells print in a fresh kernel; two streams arrive in any order."""
    text = Lab(kernels=kernels, folder=folder).run(*cells)
    return sorted(OF_ITS_OWN.sub("OF ITS OWN", text).splitlines())


def wait_for_imports(kernels: Kernels) -> None:
    """Wait until everything is imported, or forking is ruled out."""
    assert isinstance(kernels, ForkKernels)
    wait_until(lambda: kernels.kind == "spawn" or kernels._zygote._serving)


def main() -> None:
    """Run them."""
    asked = json.load(sys.stdin)
    folder, cells, ahead = Path(asked["folder"]), asked["cells"], asked["ahead"]
    env, found = start_environment(), {}
    with open_kernels("spawn") as kernels:
        found["stock"] = printed(kernels, folder, cells)
    with open_kernels("fork", preload=ahead, env=env) as kernels:
        wait_for_imports(kernels)
        found["forked"] = printed(kernels, folder, cells)
        kernels.prepare(1)
        printed(kernels, folder, ["import os; os.environ['LEFT'] = '1'; import random"])
        time.sleep(0.5)
        found["spare"] = printed(kernels, folder, cells)
    try:
        with open_kernels("fork", preload=ahead, env=env, warm=True) as kernels:
            wait_for_imports(kernels)
        with open_kernels("fork", preload=ahead, env=env, warm=True) as kernels:
            found["warm"] = printed(kernels, folder, cells)
    finally:
        stop_warm_zygotes(env=env)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
