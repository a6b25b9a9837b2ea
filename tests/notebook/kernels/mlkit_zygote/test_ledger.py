"""What imports are seen to do."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mlkit.notebook.kernels.mlkit_zygote.ledger import Ledger

DRAWS: tuple[Callable[[], object], ...] = (
    random.random,
    lambda: random.getrandbits(1),
    lambda: random.getrandbits(100),
    lambda: random.randrange(1000),
    lambda: random.choice("abc"),
    lambda: random.shuffle(list(range(9))),
    lambda: random.uniform(1, 2),
)


@given(seed=st.integers(), draws=st.lists(st.sampled_from(DRAWS), max_size=30))
def test_what_an_import_draws_is_drawn_again(seed: int, draws: list[Callable[[], object]]) -> None:
    """Whatever it draws: a stream with the same seed goes on as it did behind the import."""
    state = random.getstate()
    try:
        ledger = Ledger(lambda _: True)
        random.seed(seed)
        with ledger.recording("module"):
            for draw in draws:
                draw()
        behind = random.random()
        random.seed(seed)
        ledger.repeat("module")
        assert random.random() == behind
    finally:
        random.setstate(state)
