"""A page of HTML that stands alone: it loads nothing and runs nothing."""

from __future__ import annotations

from html import escape

from mlkit.core.harmless_text import harmless

__all__ = ["PLAIN_STYLE", "html_page"]

PLAIN_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1b1b; background: #fff; overflow-wrap: anywhere; }
p { margin: .3rem 0; }
table { border-collapse: collapse; }
caption { text-align: left; }
th, td { text-align: left; vertical-align: top; border-top: 1px solid #d0d0d0;
         font-weight: normal; }
"""
"""What pages of grades have in common."""

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def html_page(title: str, body: str, *, style: str = PLAIN_STYLE) -> str:
    """Frame a page's body.

    Parameters
    ----------
    title : str
        Plain text; it is escaped here.
    body : str
        HTML, in which whatever comes from people is escaped already. The page's policy keeps it
        from running or loading anything even so. Characters that act are spelled.
    style : str
        The style sheet.
    """
    return harmless(_FRAME.format(title=escape(title), body=body.strip(), style=style))
