"""Which environment variables cannot be changed once an interpreter runs or a library is loaded."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["differing", "fixed_at_boot", "fixed_at_start"]

# Read when an interpreter starts (hash seed, locale) or a library is loaded (threads, devices).
AT_START = (
    *("PYTHON", "LANG", "LC_", "LD_", "GLIBC_", "MALLOC_"),
    *("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "NUMEXPR_", "VECLIB_"),
    *("MPLCONFIGDIR", "MATPLOTLIBRC", "NUMBA_", "POLARS_", "ARROW_", "SKLEARN_", "SCIPY_"),
    *("CUDA_", "NVIDIA_", "TF_", "XLA_", "JAX_", "TORCH_", "PYTORCH_", "NPY_", "NUMPY_"),
)
# Set anew in each kernel.
REPLAYED = ("PYTHONPATH",)
# Read while a kernel boots.
AT_BOOT = ("HOME", "XDG_", "IPYTHON", "JUPYTER", "VIRTUAL_ENV", "PROFILE", "USER", "LOGNAME")


def fixed_at_start(name: str) -> bool:
    """Whether a variable works only in the environment of a fresh interpreter."""
    return name.startswith(AT_START) and name not in REPLAYED


def fixed_at_boot(name: str) -> bool:
    """Whether a variable must be known when IPython's kernel application boots."""
    return name.startswith(AT_BOOT)


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names, sorted, whose values differ between two environments."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
