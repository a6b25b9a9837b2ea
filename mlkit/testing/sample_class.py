"""`python -m mlkit.testing.sample_class DIR`: a small class to try the commands of a teacher on.

It writes `download.zip`, as Moodle gives it, `roster.csv` and `times.csv`: five students and one
exercise, with a right answer, a usual slip twice (once in other words), an untouched notebook, and
a file whose owner nobody knows. Nothing in it is anybody's. With `--words` it is an exercise that
asks for an answer in words, and two people have written one.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from mlkit.grading.exercise.source import exercise_notebook, load_exercise
from mlkit.grading.submissions import find_solutions

__all__ = ["main", "write_sample", "write_words"]

EXERCISE = "05-retries"
ANSWER = "answer-retry-with-backoff"
SLIP = ("delay *= backoff_factor", "delay += initial_delay")
"""What a usual slip puts in the place of what is right. A whole answer must not stand here: the
package is where submissions are graded, and they could take it from there."""
WORDS = "01-dags"
IN_WORDS = {
    "Ann Lee_601_assignsubmission_file_/01-dags.ipynb": (
        "Steps, and arrows that say what waits for what; no way leads back to its start. In my\n"
        "kitchen *peel* and *boil* come before *serve*, and two people can do them side by side."
    ),
    "Bob van Dyk_602_assignsubmission_file_/01-dags.ipynb": "It is a picture. It is cleaner.",
    "Dorothea Roy_604_assignsubmission_file_/01-dags.ipynb": None,
}
ROSTER = """student,name,email,section,group,canvas_id
ann,Ann Lee,ann@example.org,A,,101
bob,Bob van Dyk,bob@example.org,A,,102
cid,Çid Ünal,cid@example.org,B,,103
dot,Dorothea Roy,dot@example.org,B,,104
eve,Eve O'Neil,eve@example.org,B,,105
"""


def _notebook(answers: Mapping[str, str], name: str = EXERCISE) -> bytes:
    exercise = load_exercise(find_solutions() / f"{name}.ipynb")
    document = exercise_notebook(exercise)
    for cell in document["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    return json.dumps(document).encode()


def write_sample(folder: Path) -> list[Path]:
    """Write the class's files.

    Parameters
    ----------
    folder : Path
        Where to; it is made if it is missing.

    Returns
    -------
    list of Path
        The files.
    """
    model = load_exercise(find_solutions() / f"{EXERCISE}.ipynb").solution
    linear = model[ANSWER].replace(*SLIP)
    in_other_words = linear.replace("wrapper", "inner").replace("function", "f")
    handed_in = {
        "Ann Lee_501_assignsubmission_file_/05-retries.ipynb": model,
        "Bob van Dyk_502_assignsubmission_file_/05-retries.ipynb": {ANSWER: linear},
        "Çid Ünal_503_assignsubmission_file_/retries (1).ipynb": {ANSWER: in_other_words},
        "Dorothea Roy_504_assignsubmission_file_/05-retries.ipynb": {},
        "homework.ipynb": model,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "download.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for place, answers in handed_in.items():
            archive.writestr(place, _notebook(answers))
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    times = "student,time\nann,2026-10-01 18:00\nbob,2026-10-02 20:00\ncid,2026-10-01 21:30\n"
    (folder / "times.csv").write_text(times, encoding="utf-8")
    return [folder / name for name in ("download.zip", "roster.csv", "times.csv")]


def write_words(folder: Path) -> list[Path]:
    """Write the files of a class that was asked for an answer in words.

    Parameters
    ----------
    folder : Path
        Where to; it is made if it is missing.

    Returns
    -------
    list of Path
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "download.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for place, text in IN_WORDS.items():
            answers = {} if text is None else {"written-answer": text}
            archive.writestr(place, _notebook(answers, WORDS))
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    return [folder / name for name in ("download.zip", "roster.csv")]


def main() -> None:
    """Write the class into the folder that is named, by default the one worked in."""
    words = [word for word in sys.argv[1:] if word != "--words"]
    write = write_words if "--words" in sys.argv[1:] else write_sample
    for path in write(Path(words[0] if words else ".")):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
