"""The site in another language: a page with one translated sentence, and the texts to translate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlkit.errors import UsageError
from mlkit.rendering.building import build_site, write_templates
from mlkit.rendering.site_documents import Documents
from mlkit.rendering.translating import Translated, find_translation, settings_of

PAGES = Documents(
    chapters={"Reference": ("docs/values", "docs/glossary")},
    texts={
        "docs/values": "# Values\n\nAn artifact is kept.\n\nAnother sentence.\n",
        "docs/glossary": "# Glossary\n\n- **artifact**: A file that a stage writes.\n",
    },
)
GERMAN = """\
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "An {term}`artifact <artifact>` is kept."
msgstr "Ein {term}`Artefakt <artifact>` wird aufgehoben."
"""


@pytest.mark.site
def test_a_sentence_is_translated_and_the_rest_stays(tmp_path: Path) -> None:
    """Its text is in the page's .pot file; the built page shows it, its link, and English else."""
    templates = write_templates({}, tmp_path / "pot", PAGES)
    (template,) = [path for path in templates if path.stem == "values"]
    assert 'msgid "An {term}`artifact <artifact>` is kept."' in template.read_text("utf-8")
    place = tmp_path / "locale/de/LC_MESSAGES/docs/values.po"
    place.parent.mkdir(parents=True)
    place.write_text(GERMAN, encoding="utf-8")
    german = Translated(language="de", folder=tmp_path / "locale")
    build_site({}, {}, tmp_path / "site", PAGES, translated=german)
    page = (tmp_path / "site/docs/values.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert "Ein Artefakt wird aufgehoben." in text
    assert "Another sentence." in text
    assert 'href="glossary.html#term-artifact"' in page
    assert '<html class="no-js" lang="de"' in page


def test_a_language_is_found_by_its_folder(tmp_path: Path) -> None:
    """One without translations is refused with what there is, or with the page that says how."""
    with pytest.raises(UsageError, match=r"docs/translating\.md"):
        find_translation(tmp_path, "de")
    place = tmp_path / "docs/locale/pt_BR/LC_MESSAGES/docs/values.po"
    place.parent.mkdir(parents=True)
    place.write_text(GERMAN, encoding="utf-8")
    found = find_translation(tmp_path, "pt_BR")
    assert f"locale_dirs={tmp_path / 'docs/locale'}" in settings_of(found)
    with pytest.raises(UsageError, match="There are: pt_BR"):
        find_translation(tmp_path, "de")
    with pytest.raises(UsageError, match="is no language"):
        find_translation(tmp_path, "../../etc")
