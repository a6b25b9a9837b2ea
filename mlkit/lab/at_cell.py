"""JupyterLab's page, made so that the notebook stands at one of its cells when it has opened.

JupyterLab opens a notebook at its first cell, whatever the address says behind `#`.
"""

from __future__ import annotations

import json
from pathlib import Path

from jupyterlab.commands import get_app_dir

__all__ = ["page_at_cell"]

_LOOK_MS, _PATIENCE_MS = 100, 60_000

_SCRIPT = """<script>(function (id, left) {{
  function look() {{
    var panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
    var cells = panel && panel.context && panel.context.isReady && panel.content.widgets;
    if (cells && cells.length) {{
      var at = cells.findIndex(function (cell) {{ return cell.model.id === id; }});
      if (at >= 0) {{
        panel.content.activeCellIndex = at;
        panel.content.scrollToItem(at, 'center');
      }}
    }} else if (left-- > 0) {{
      setTimeout(look, {pause});
    }}
  }}
  look();
}})({cell}, {times});</script>"""


def page_at_cell(folder: Path, cell: str) -> Path:
    """Write the page's template into a folder, for `LabApp.templates_dir`.

    Parameters
    ----------
    folder : Path
        The folder, which is made.
    cell : str
        The cell's id.
    """
    theirs = (Path(get_app_dir()) / "static" / "index.html").read_text(encoding="utf-8")
    # `<` would begin a tag, and `{` something of the template's
    literal = json.dumps(cell).replace("<", "\\u003c").replace("{", "\\u007b")
    script = _SCRIPT.format(pause=_LOOK_MS, times=_PATIENCE_MS // _LOOK_MS, cell=literal)
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(
        theirs.replace("</body>", f"{script}</body>"), encoding="utf-8"
    )
    return folder
