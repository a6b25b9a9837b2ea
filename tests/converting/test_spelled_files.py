"""The files that notebooks spell out: which they read, and which they write."""

from __future__ import annotations

import pytest

from mlkit.converting.parts import Cell
from mlkit.converting.spelled_files import Spelled, spelled_in


def spelled(*sources: str) -> Spelled:
    """What code cells spell."""
    return spelled_in(Cell(index=n, kind="code", source=s) for n, s in enumerate(sources))


@pytest.mark.parametrize(
    "source",
    [
        "open('a/x.csv').read()",
        "with open('./a/x.csv', 'rb') as f:\n    pass",
        "df = pd.read_csv('a/x.csv')",
        "df = pd.read_csv(filepath_or_buffer, sep=';')\nx = pd.read_parquet(path='a/x.csv')",
        "model = joblib.load('a/x.csv')",
        "model = pickle.load(open('a/x.csv', 'rb'))",
        "text = Path('a/x.csv').read_text()",
        "D = Path('a')\ntext = (D / 'x.csv').open().read()",
        "D = 'a'\nopen(os.path.join(D, 'x.csv'))",
        "D = 'a'\nname = 'x'\nopen(f'{D}/{name}.csv')",
        "open('a/' + 'x.csv')",
        "np.loadtxt(Path('a').joinpath('x.csv'))",
        "def get(path='a/x.csv', *, n=1):\n    return open(path)",
        "!cat 'a/x.csv' | wc -l",
        "x = !head -n 3 a/x.csv",
        "shutil.copy('a/x.csv', 'elsewhere.csv')",
        "con = sqlite3.connect('a/x.csv')\npd.read_sql('select * from t', con)",
        "e = create_engine('sqlite:///a/x.csv')",
        "if os.path.exists('a/x.csv'):\n    img = Image.open('a/x.csv')",
        "f = open('a/x.csv', 'r+')",
    ],
)
def test_what_is_read_is_found(source: str) -> None:
    """By whatever way people write a file's name, and read it."""
    assert "a/x.csv" in spelled(source).reads


@pytest.mark.parametrize(
    "source",
    [
        "open('a/x.csv', 'w').write('1')",
        "f = open('a/x.csv', mode='a')",
        "Path('a/x.csv').write_text('b.txt')",
        "(Path('a') / 'x.csv').open('w')",
        "df.to_csv('a/x.csv', index=False)",
        "OUT = 'a/x.csv'\ndf.to_parquet(OUT)",
        "plt.savefig('a/x.csv')",
        "joblib.dump(model, 'a/x.csv')",
        "torch.save(model.state_dict(), 'a/x.csv')",
        "json.dump({}, gzip.open('a/x.csv', 'wt'))",
        "!echo 1 > a/x.csv",
        "!curl -s -o a/x.csv https://example.org/x.csv",
        "%%bash\nsort b >> 'a/x.csv'",
        "%%writefile a/x.csv\n1",
        "urllib.request.urlretrieve('https://example.org/x.csv', 'a/x.csv')",
        "shutil.copy('b.csv', 'a/x.csv')",
        "Path('b.csv').rename('a/x.csv')",
        "db = sqlite3.connect('a/x.csv')\ndb.execute('CREATE TABLE t (a)')",
        "f = open('a/x.csv', 'r+')",
    ],
)
def test_what_is_written_is_found(source: str) -> None:
    """Whether Python or a shell writes it."""
    assert "a/x.csv" in spelled(source).writes


@pytest.mark.parametrize(
    "sources",
    [
        ("open('x.csv', 'w')", "open('x.csv')"),
        ("name = 'x.csv'\nname = other()", "open(name)"),
        ("name = 'x.csv'\nfor name in names:\n    open(name)",),
        ("name = 'x.csv'\nname += 'y'\nopen(name)",),
        ("name = 'x.csv'\ndef f(name):\n    open(name)",),
        ("def f(name='x.csv'):\n    pass\nopen(name)",),
        ("print('x.csv')",),
        ("open('https://example.org/x.csv')",),
        ("open(name + 'x.csv')",),
        ("open('x.csv', mode)",),
    ],
)
def test_what_is_not_known_to_be_read_is_not_said(sources: tuple[str, ...]) -> None:
    """What it wrote itself before, and names that stand for something else by then."""
    assert spelled(*sources).reads == frozenset()


def test_modules_and_scripts_may_be_files_beside_it() -> None:
    """`import a.b` loads `a.py` if it is there, and `%run` what it names."""
    source = (
        "import tools.more as t, json\nfrom mine import x\nfrom . import y\n%run -i ../set up.py"
    )
    assert spelled(source.replace("set up", "setup")).imports == {
        "tools.py",
        "json.py",
        "mine.py",
        "../setup.py",
    }


def test_absolute_paths_are_told_apart() -> None:
    """They lead past every copy of the notebooks' folder, and are handed on by nobody."""
    told = spelled("BASE = '/data'\nx = open(f'{BASE}/in.csv')\ndf.to_csv(BASE + '/out.csv')")
    assert told == Spelled(
        reads=frozenset(),
        writes=frozenset(),
        imports=frozenset(),
        fixed_reads=frozenset({"/data/in.csv"}),
        fixed_writes=frozenset({"/data/out.csv"}),
    )
