"""Which packages may be imported ahead."""

from __future__ import annotations

import importlib.util
import site
import sys
import sysconfig
from pathlib import Path

__all__ = ["NEVER", "TRIED", "is_installed", "is_tried"]

# Packages that register themselves with the running kernel, or choose how to show things by it,
# when they are imported: each kernel has to import them itself.
NEVER = frozenset(
    {
        *("altair", "anywidget", "bokeh", "holoviews", "hvplot", "ipympl", "ipywidgets"),
        *("matplotlib_inline", "panel", "plotly", "pyvista", "rich", "tqdm"),
    }
)


# Packages that `tests/notebook/kernels/test_same_as_stock.py` holds for: kernels share them without
# harm, and their own exit hooks, which look after what the kernel has started, run in each kernel.
# Of others, only what a person asks for by name is imported ahead.
TRIED = frozenset(
    {
        *("joblib", "lightgbm", "matplotlib", "mlflow", "networkx", "numpy", "pandas", "pandera"),
        *("PIL", "pyarrow", "requests", "scipy", "sklearn", "sympy", "xgboost", "yaml"),
        # MLflow imports both. The random keys that they draw then name values within a process.
        *("fastapi", "opentelemetry"),
    }
)


def is_installed(name: str) -> bool:
    """Whether a module belongs to the standard library or stands in site-packages."""
    top = name.partition(".")[0]
    if top in NEVER:
        return False
    spec = importlib.util.find_spec(top)
    if spec is None:
        return True  # importing it will say what is wrong
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return all(_in_site_packages(Path(place)) for place in places if place is not None)


def is_tried(top: str) -> bool:
    """Whether kernels can share a package without harm, as far as that was tried."""
    return top in sys.stdlib_module_names or top in TRIED or top == "mlkit"


def _in_site_packages(place: Path) -> bool:
    """Whether a file lies under site-packages or the standard library."""
    roots = {
        *(sysconfig.get_path(key) for key in ("purelib", "platlib", "stdlib", "platstdlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
    return any(place.resolve().is_relative_to(Path(root).resolve()) for root in roots)
