# ruff: noqa: E501 - cells of notebooks stand as people write them
"""Notebooks of the shapes that people write, each as a list of cells; `#md` begins a text cell.

They are small and real: every one runs from its first cell to its last beside the files that
`write_original` puts there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat

__all__ = ["ORIGINALS", "write_cells", "write_original"]

IMPORTS = (
    "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt\n%matplotlib inline"
)

ORIGINALS: dict[str, list[str]] = {
    "exploratory": [
        "#md # Sales\nA first look.",
        f"{IMPORTS}\npd.set_option('display.precision', 3)\nplt.rcParams['figure.dpi'] = 60",
        "ROWS = 30\nDATA = 'sales.csv'",
        "#md ## 1. Read",
        "df = pd.read_csv(DATA).head(ROWS)",
        "df.head()",
        "df.describe()",
        "#md ## 2. Look closer",
        "df['total'] = df['price'] * df['number']",
        "df.groupby('shop')['total'].sum()",
        "df[df.total > 100]",
        "#md ## 3. What stands out?",
        "best = df.groupby('shop')['total'].sum().idxmax()\nprint('best:', best)",
        "df.total.hist(bins=10)\nplt.title(f'{best} leads');",
    ],
    "loops over models": [
        "#md # Which model?",
        f"{IMPORTS}\nfrom sklearn.datasets import load_iris\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.tree import DecisionTreeClassifier\n"
        "from sklearn.model_selection import train_test_split",
        "SEED = 7\ntest_share = 0.3",
        "#md ## Data",
        "X, y = load_iris(return_X_y=True, as_frame=True)\n"
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=test_share, random_state=SEED)",
        "#md ## Models",
        "models = {'logistic': LogisticRegression(max_iter=500), 'tree': DecisionTreeClassifier(random_state=SEED)}",
        "scores = {}\nfor name, model in models.items():\n"
        "    model.fit(X_train, y_train)\n    scores[name] = float(model.score(X_test, y_test))\n    print(name, scores[name])",
        "#md ## Choice",
        "best = max(scores, key=scores.get)\nbest_model = models[best]",
        "pred = best_model.predict(X_test)\npd.crosstab(y_test, pred)",
        "with open('best.txt', 'w') as f:\n    f.write(best)",
    ],
    "functions in the middle": [
        "#md # Cleaning",
        "import pandas as pd\nimport re\nfrom dataclasses import dataclass",
        "#md ## Load",
        "raw = pd.read_csv('sales.csv')",
        "def tidy(name):\n    return re.sub(r'\\W+', '_', name.strip()).lower()",
        "raw.columns = [tidy(c) for c in raw.columns]",
        "#md ## Rules",
        "LIMIT = 3",
        "@dataclass\nclass Rule:\n    column: str\n    least: float\n\n"
        "    def holds(self, frame):\n        return bool((frame[self.column] >= self.least).all())",
        "def is_small(n):\n    return n < LIMIT",
        "rules = [Rule(tidy(' Price '), 0), Rule('number', 1)]",
        "#md ## Check",
        "result = {rule.column: rule.holds(raw) for rule in rules}\nprint(result)",
        "small = raw[raw.number.apply(is_small)]\nlen(small)",
        "#md ## Summary",
        "print(tidy('A  b'), is_small(2), len(small), result)",
    ],
    "plots everywhere": [
        "#md # Plots",
        IMPORTS,
        "plt.rcParams['figure.figsize'] = (3, 2)",
        "#md # Signals",
        "t = np.linspace(0, 1, 50)\nsignals = {f: np.sin(2 * np.pi * f * t) for f in (1, 2, 3)}",
        "for f, s in signals.items():\n    plt.plot(t, s, label=str(f))\nplt.legend()\nplt.savefig('signals.png')\nplt.show()",
        "#md # Sums",
        "total = sum(signals.values())\nfig, ax = plt.subplots()\nax.plot(t, total)\nfig.savefig('figures/total.png')",
        "#md # Again",
        "ax.set_title('sum')\nfig",
        "plt.imshow(plt.imread('signals.png'));",
    ],
    "a script by %run": [
        "#md # With a script",
        "#md ## Setup",
        "%run tools.py",
        "import json",
        "#md ## Use",
        "numbers = make(5)\nprint(numbers, FACTOR)",
        "#md ## Use again",
        "more = [scale(n) for n in numbers]\nprint(json.dumps(more))",
    ],
    "chains": [
        "#md # One chain after the other",
        "import pandas as pd",
        "#md ## Bronze",
        "bronze = (\n    pd.read_csv('sales.csv')\n    .rename(columns=str.strip)\n    .dropna()\n)",
        "#md ## Silver",
        "silver = (\n    bronze\n    .assign(total=lambda d: d.price * d.number)\n    .query('total > 10')\n    .sort_values(['shop', 'total'])\n    .reset_index(drop=True)\n)\nsilver.to_parquet('silver.parquet')",
        "#md ## Gold",
        "gold = (\n    pd.read_parquet('silver.parquet')\n    .groupby('shop', as_index=False)\n    .agg(total=('total', 'sum'), n=('total', 'size'))\n)\ngold",
        "gold.to_csv('gold.csv', index=False)",
    ],
    "a time series": [
        "#md # Temperatures",
        "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt\nnp.random.seed(3)",
        "#md ## Make",
        "days = pd.date_range('2020-01-01', periods=60, freq='D')\n"
        "series = pd.Series(np.random.randn(60).cumsum(), index=days, name='t')",
        "#md ## Smooth",
        "smooth = series.rolling(7, min_periods=1).mean()\nweekly = series.resample('W').mean()",
        "ax = series.plot(figsize=(4, 2)); smooth.plot(ax=ax);",
        "#md ## Noise again",
        "noise = np.random.normal(size=len(series))\nforecast = smooth.iloc[-1] + noise[:7].cumsum()",
        "#md ## Table",
        "table = pd.DataFrame({'t': series, 's': smooth, 'noisy': series + noise})\ntable.tail()",
    ],
    "language": [
        "#md # Words",
        "import re\nfrom collections import Counter, defaultdict\nfrom pathlib import Path",
        "#md ## Read",
        "texts = {p.name: p.read_text() for p in sorted(Path('texts').glob('*.txt'))}",
        "#md ## Count",
        "tokens = {name: re.findall(r'[a-z]+', text.lower()) for name, text in texts.items()}\n"
        "counts = Counter(w for words in tokens.values() for w in words)",
        "index = defaultdict(set)\nfor name, words in tokens.items():\n    for w in words:\n        index[w].add(name)",
        "#md ## Vectors",
        "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "vectorizer = TfidfVectorizer()\nmatrix = vectorizer.fit_transform(texts.values())\nmatrix.shape",
        "#md ## Answer",
        "print(counts.most_common(3), sorted(index['the']), vectorizer.get_feature_names_out()[:3])",
    ],
    "image arrays": [
        "#md # Images",
        f"{IMPORTS}\nrng = np.random.default_rng(0)",
        "#md ## Make",
        "images = rng.random((6, 16, 16))\nlabels = np.arange(6) % 2",
        "#md ## Filter",
        "def blur(image, times=1):\n    for _ in range(times):\n"
        "        image = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1)) / 3\n    return image",
        "blurred = np.stack([blur(i, times=2) for i in images])",
        "images[0, 0, 0] = 1.0",
        "#md ## Show",
        "fig, axes = plt.subplots(1, 3, figsize=(4, 2))\n"
        "for ax, image in zip(axes, blurred):\n    ax.imshow(image, cmap='gray'); ax.axis('off')",
        "#md ## More",
        "extra = rng.random(3)\nprint(extra, images[0, 0, 0], blur(images[1]).mean(), labels.sum())",
    ],
    "a failing cell": [
        "#md # Left as it was",
        "import pandas as pd",
        "#md ## Read",
        "df = pd.read_csv('sales.csv')",
        "df['nothing']",
        "#md ## Go on",
        "total = df['price'].sum()\ntotal",
        "#md ## A connection",
        "import sqlite3\ndb = sqlite3.connect(':memory:')\ndf.to_sql('sales', db, index=False)",
        "#md ## Ask",
        "pd.read_sql('select shop, sum(price) as p from sales group by shop', db)",
        "unused = total / 2",
        "#md ## End",
        "print(unused)",
    ],
    "two names of one object": [
        "#md ## Make",
        "kept = [1]\nalias = kept",
        "#md ## Change",
        "alias.append(2)",
        "#md ## Look",
        "total = sum(kept)\nprint(total)",
        "#md ## End",
        "print(total)",
    ],
    "a function that changes a name": [
        "#md ## Begin",
        "state = {'n': 0}\n\n\ndef count():\n    state['n'] += 1",
        "count()",
        "#md ## Go on",
        "count()\ncount()",
        "#md ## End",
        "print(state['n'])",
        "done = state['n'] == 3",
        "#md ## Look",
        "print(done)",
    ],
    "tables in a list": [
        "#md # 🚢 Survivors\n\n<a id='top'></a>",
        "import os\nimport warnings\nimport pandas as pd # tables\nwarnings.filterwarnings('ignore')\npd.set_option('display.max_columns', 4)\n"
        "for folder, _, names in os.walk('texts'):\n    for name in sorted(names):\n        print(os.path.join(folder, name))",
        "#md ## 1. Load 📥",
        "train = pd.read_csv('sales.csv')\ntest = train.tail(5).copy()\nboth = [train, test]\ntrain.head()",
        "#md ## 2. $\\\\alpha$ Clean",
        "for t in both:\n    t['big'] = t['price'] > 10\ntrain.drop(['number'], axis=1, inplace=True)\ntrain.isnull().sum()",
        "#md ## 3. Model",
        "from sklearn.tree import DecisionTreeClassifier\nX, y = train[['price']], train['big']\ntree = DecisionTreeClassifier(random_state=0).fit(X, y)",
        "%%time\nprint(tree.score(X, y))",
        "#md ## 4. Hand in",
        "out = pd.DataFrame({'big': tree.predict(test[['price']])})\nout.to_csv('submission.csv', index=False)\nout",
    ],
    "names that are computed": [
        "#md # Files",
        "import glob, os, json\nfrom pathlib import Path\nimport pandas as pd",
        "OUT = 'output/tables'\nKINDS = ['one', 'two']\nos.makedirs(OUT, exist_ok=True)",
        "#md ## Read",
        "texts = {k: open(f'texts/{k}.txt').read() for k in KINDS}\nfound = !ls texts\nprint(len(glob.glob('texts/*.txt')), found)",
        "#md ## Write",
        "for k, t in texts.items():\n    pd.DataFrame({'w': t.split()}).to_csv(os.path.join(OUT, f'{k}.csv'), index=False)",
        "#md ## Read again",
        "words = pd.concat([pd.read_csv(p) for p in sorted(Path(OUT).glob('*.csv'))])\nprint(words.shape)",
        "%%writefile mine.py\ndef twice(x):\n    return 2 * x",
        "#md ## A module",
        "from mine import twice\nfrom tools import scale\nprint(twice(3), scale(2))\nPath('output/n.pkl').write_bytes(__import__('pickle').dumps(words))",
        "#md ## Count",
        "with open('output/report.md', 'w') as f:\n    print('#', len(words), os.path.getsize(f'output/tables/{KINDS[0]}.csv'), file=f)\nprint(open('output/report.md').read())",
    ],
    "kinds of definitions": [
        "#md Kinds\n=====",
        "from __future__ import annotations\nfrom enum import Enum\nfrom collections import namedtuple\nimport functools\nimport not_installed_here",
        "Point = namedtuple('Point', 'x y')\nclass Color(Enum):\n    RED = 1\n\nsquare = lambda x: x * x\n_hidden = 17\nsum = 3",
        "#md <h2>Make</h2>",
        "# how much\nSCALE = 2\npoints = [Point(i, i + 1) for i in range(3)]\ncolors = {p: Color.RED for p in points}",
        "#md <h2>Use</h2>",
        "class Base:\n    def area(self): return 0\nclass Square(Base):\n    def __init__(self, side): self.side = side\n    def area(self): return square(self.side)",
        "shapes = [Square(p.x * SCALE) for p in points]\nprint([s.area() for s in shapes])",
        "#md <h2>Count</h2>",
        "calls = 0\ndef counted(fn):\n    @functools.wraps(fn)\n    def inner(*a):\n        global calls\n        calls += 1\n        return fn(*a)\n    return inner",
        "@counted\ndef total(xs, seen=[]):\n    seen.append(len(xs))\n    return sum + len(seen)\nprint(total(shapes), calls)",
        "#md <h2>End</h2>",
        "print(total(points), calls, _hidden, colors[points[0]], sum)",
    ],
    "names that would collide": [
        "#md ## Make",
        "import json\nimport pandas as pd\nx_in = [1, 2]\nx_out = {'a': 1}\nx = pd.DataFrame({'v': [1, 2]})\noutput = 'out'",
        "#md ## Json",
        "Path = 5\njoblib = 'mine'\nnp = 7\nos = [1]\ny = json.dumps(x_out)",
        "#md ## Other meanings",
        "json = {'k': y}\npd = 'no module'\nx_out['b'] = sum(x_in)\nz = x.v.sum() + Path + np",
        "#md ## End",
        "print(json, joblib, os, pd, x_in, x_out, z, x.shape, output)",
    ],
    "a hierarchy that counts": [
        "#md ## Base",
        "from abc import ABC, abstractmethod\nclass Shape(ABC):\n    n = 0\n    def __init__(self):\n        Shape.n += 1\n    @abstractmethod\n    def area(self): ...",
        "#md ## Sub",
        "class Square(Shape):\n    def __init__(self, side):\n        super().__init__()\n        self.side = side\n    def area(self):\n        return self.side ** 2\n    def __repr__(self):\n        return f'Square({self.side})'",
        "shapes = [Square(1), Square(2)]",
        "#md ## Use",
        "shapes.append(Square(3))\nprint(Shape.n, shapes, [s.area() for s in shapes])",
        "best = max(s.area() for s in shapes)",
        "#md ## End",
        "print(best)",
    ],
    "imports that print": [
        "#md ## A",
        "import this",
        "import loud\nprint('mine')\nx = loud.N",
        "#md ## B",
        "import loud, math\nprint(loud.N + math.floor(1.5) + x)",
    ],
    "shell and patterns": [
        "#md ## A",
        "import glob\nimport pandas as pd\n%config InlineBackend.figure_format = 'png'\nfiles = !ls *.csv\nprint(files)",
        "#md ## B",
        "%%time\ndf = pd.read_csv(files[0])\nprint(len(df))",
        "%%capture cap\nprint('hidden')",
        "for k in range(2):\n    open(f'part_{k}.txt', 'w').write(str(k))",
        "#md ## C",
        "cap.show()\nn = %sx echo hi\nprint(n, sorted(glob.glob('part_*.txt')))",
        "%%bash\nwc -l < sales.csv",
        "#md ## D",
        "print(len(df))",
    ],
    "files that are open and generators": [
        "#md ## Open",
        "import itertools\nlines = open('sales.csv')\nheader = next(lines)\nnumbers = (float(line.split(',')[2]) for line in lines)",
        "#md ## First",
        "first = list(itertools.islice(numbers, 3))\nprint(first)",
        "#md ## Rest",
        "rest = sum(numbers)\nprint(rest)",
        "#md ## End",
        "print(first, rest)",
    ],
    "streams and displays": [
        "#md ## A",
        "import sys, logging\nprint('to err', file=sys.stderr)\nlogging.warning('careful')\nx = 1",
        "#md ## B",
        "print('x is', x, file=sys.stderr)\nfrom IPython.display import display, HTML, Markdown, clear_output\ndisplay(HTML('<b>x</b>'), Markdown('*y*'))\nx",
        "#md ## C",
        "for i in range(3):\n    print(i, end=' ', flush=True)\nprint()\nclear_output()\nprint('done', x)",
    ],
    "a counter and seeds in the middle": [
        "#md ## Größe ≥ 3",
        "import random\nimport numpy as np\ncounter = 0\ndef bump(by=1):\n    global counter\n    counter += by\n    return counter",
        "bump()\nnp.random.seed(1)\nгруппа = np.random.rand(2)",
        "#md ```\n## no heading\n```",
        "#md ## 数据",
        "bump(2)\nrng = np.random.RandomState(5)\nrandom.seed(9)\nc = random.random()",
        "# only a comment",
        "",
        "#md ## 数据",
        "def reset():\n    global counter\n    counter = 0\nbump()\nprint(counter, группа, rng.rand(2), random.random(), np.random.rand(), c)",
        "#md ## End",
        "reset()\nprint(counter)",
    ],
    "a function inside of a value": [
        "#md ## Words",
        "import re\nfrom sklearn.feature_extraction.text import CountVectorizer\n"
        "from sklearn.pipeline import Pipeline",
        "stop = frozenset({'the'})\npattern = re.compile('[a-z]+')\ntexts = ['the cat', 'a dog']",
        "def words(text):\n    return [w for w in pattern.findall(text) if w not in stop]",
        "#md ## Fit",
        "pipe = Pipeline([('count', CountVectorizer(analyzer=words))]).fit(texts)",
        "#md ## Use",
        "print(pipe.transform(['the cat cat']).toarray())",
        "done = sorted(pipe['count'].vocabulary_)",
        "#md ## End",
        "print(done)",
    ],
    "a class that keeps its one object": [
        "#md ## Session",
        "class Session:\n    one = None\n    @classmethod\n    def get(cls):\n"
        "        cls.one = cls.one or cls()\n        return cls.one",
        "session = Session.get()\nn = 1",
        "#md ## Use",
        "m = n + 1\nprint(Session.get() is session)",
        "#md ## End",
        "print(Session.one is session, m)",
        "end = m",
        "#md ## Look",
        "print(end)",
    ],
    "settings of the shell": [
        "#md ## Set up",
        "%env MLKIT_TEST_FLAG=on",
        "import os\nstart = len(os.environ['MLKIT_TEST_FLAG'])",
        "def double(x):\n    return 2 * x",
        "#md ## Ask",
        "?double\n!echo $HOME > /dev/null",
        "took = %timeit -o -q -n1 -r1 double(start)\nprint(type(took).__name__)",
        '%%bash -s "$start"\necho "$1 $MLKIT_TEST_FLAG"',
        "end = double(start)",
        "#md ## End",
        "print(end, os.environ['MLKIT_TEST_FLAG'])",
    ],
    "a file that goes": [
        "#md ## Write",
        "import os\nimport sqlite3\ncon = sqlite3.connect('kept.sqlite')\ncon.execute('create table t (a)')\n"
        "con.execute('insert into t values (3)')\ncon.commit()\ncon.close()\nopen('old.txt', 'w').write('x')",
        "#md ## Read",
        "con = sqlite3.connect('kept.sqlite')\nn = con.execute('select sum(a) from t').fetchone()[0]\ncon.close()",
        "#md ## Clear",
        "print(n)\nos.remove('kept.sqlite')\nos.rename('old.txt', 'new.txt')",
        "#md ## Look",
        "print(os.path.exists('kept.sqlite'), os.path.exists('old.txt'), open('new.txt').read())",
    ],
    "asynchronous cells": [
        "#md ## A",
        "import asyncio\nasync def get(n):\n    await asyncio.sleep(0.01)\n    return n * 2",
        "r = await get(2)",
        "#md ## B",
        "results = await asyncio.gather(get(1), get(r))\nprint(results)",
        "#md ## C",
        "async with asyncio.timeout(5):\n    last = await get(results[0])\nprint(last)",
    ],
}
"""By shape."""

FILES = {
    "sales.csv": "shop, City ,price,number\n"
    + "".join(f"s{i % 3},{i},{i * 1.5},{i % 5 + 1}\n" for i in range(1, 40)),
    "tools.py": "FACTOR = 3\n\n\ndef make(n):\n    return list(range(n))\n\n\n"
    "def scale(x):\n    return x * FACTOR\n",
    "loud.py": "print('loud is here')\nN = 4\n",
    "texts/one.txt": "The cat and the dog.",
    "texts/two.txt": "A bird, the sky, a tree.",
    "figures/.keep": "",
}


def write_original(name: str, folder: Path) -> Path:
    """Write a notebook, and the files that it reads, into a folder."""
    for file, content in FILES.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content)
    return write_cells(ORIGINALS[name], folder / f"{name.replace(' ', '-').replace('%', '')}.ipynb")


def write_cells(sources: Sequence[str], path: Path) -> Path:
    """Write a notebook of some cells; `#tagged` begins one that Papermill's users keep values in.

    A path that ends with `.py` or `.md` gives a text, as Jupytext writes it.
    """
    cells: list[dict[str, Any]] = []
    for number, source in enumerate(sources):
        is_text, is_tagged = source.startswith("#md "), source.startswith("#tagged\n")
        cell: dict[str, Any] = {
            "cell_type": "markdown" if is_text else "code",
            "id": f"c{number}",
            "metadata": {"tags": ["parameters"]} if is_tagged else {},
            "source": source.removeprefix("#md ")
            .removeprefix("#tagged\n")
            .splitlines(keepends=True),
        }
        cells.append(cell if is_text else {**cell, "outputs": [], "execution_count": None})
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document)
    if path.suffix != ".ipynb":
        notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
        text = jupytext.writes(notebook, fmt={".py": "py:percent", ".md": "md:myst"}[path.suffix])
    path.write_text(text)
    return path
