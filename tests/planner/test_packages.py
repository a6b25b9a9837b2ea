"""Which packages a result depends on, told from the modules that a kernel had imported."""

from __future__ import annotations

from mlkit.planner.packages import installed_version, packages_of


def test_what_a_package_requires_counts() -> None:
    """With their versions, and only if they were imported."""
    found = packages_of(["pandas"], ["pandas", "numpy", "joblib"])
    assert found == {name: installed_version(name) for name in ("numpy", "pandas")}


def test_what_a_package_can_make_use_of_counts_where_it_was_imported() -> None:
    """A forked kernel finds pyarrow imported with pandas, and pandas reads Parquet with it."""
    assert "pyarrow" in packages_of(["pandas"], ["pandas", "pyarrow"])
    assert "pyarrow" not in packages_of(["pandas"], ["pandas"])
