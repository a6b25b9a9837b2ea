"""What is shown of an artifact."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.widgets.views.artifact_preview import preview


def test_json_is_shown_with_its_structure(tmp_path: Path) -> None:
    """Escaped, indented."""
    file = tmp_path / "m.json"
    file.write_text('{"a<b": [1, 2]}')
    assert "&quot;a&lt;b&quot;: [\n" in preview(file, "metrics")


def test_a_table_tells_its_rows_and_columns(tmp_path: Path) -> None:
    """Without reading the data."""
    import pandas as pd

    file = tmp_path / "t.parquet"
    pd.DataFrame({"x": [1, 2, 3], "<y>": list("abc")}).to_parquet(file)
    assert preview(file, "table") == "<p>3 rows, 2 columns: x, &lt;y&gt;</p>"


def test_a_picture_has_words_that_stand_for_it(tmp_path: Path) -> None:
    """The output's name."""
    from mlkit.widgets.kit.raster import png_of

    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>'
    (tmp_path / "p.png").write_bytes(png_of([svg]))
    assert 'alt="roc plot"' in preview(tmp_path / "p.png", "roc_plot")


@pytest.mark.parametrize("name", ["model.joblib", "missing.json", "broken.parquet"])
def test_what_cannot_be_shown_breaks_nothing(tmp_path: Path, name: str) -> None:
    """Unknown kinds show nothing; a missing or damaged file says so."""
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"no")
    shown = preview(tmp_path / name, "x")
    assert shown == "" if name == "model.joblib" else shown.startswith("<p>")
