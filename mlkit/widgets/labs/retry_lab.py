"""Set a retry policy and a number of clients, and see attempts, load and success."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from mlkit.core.policies import Retry
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import choice, column, number, row, slider
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.labs.retry_picture import caption, draw_crowds, draw_each, figures
from mlkit.widgets.labs.retry_simulation import Crowd, Simulation, simulate

__all__ = ["RetryLab"]

_SIDES = {"compare off and on": ("off", "on"), "off": ("off",), "on": ("on",)}


class RetryLab(Panel):
    """A workbench for retry policies.

    Parameters
    ----------
    crowd : Crowd, optional
        The clients, the server and the policy to start from; its `retry.jitter` is not looked at.
    jitter : str
        `compare off and on`, `off` or `on`.
    """

    title = "Retries: one policy, many clients"

    def __init__(self, crowd: Crowd | None = None, *, jitter: str = "compare off and on") -> None:
        first = crowd or _usual()
        retry = first.retry
        self._window_s = first.window_s
        self._failure = slider("failure rate", first.failure_rate * 100, (0, 100), step=5, unit="%")
        self._retries = slider("retries at most", retry.max_retries, (0, 8))
        self._delay = slider("base delay", retry.delay_s, (0.1, 5), step=0.1, unit="s")
        self._backoff = slider("backoff factor", retry.backoff, (1, 4), step=0.25)
        self._longest = slider("longest delay", retry.max_delay_s or 60, (1, 60), unit="s")
        self._clients = slider("clients", first.clients, (1, 100))
        self._capacity = slider(
            "server's limit",
            first.capacity or 0,
            (0, 50),
            unit=f"calls in {first.window_s:g} s (0: none)",
        )
        self._seed = number("seed", first.seed, width="150px")
        self._jitter = choice("jitter", list(_SIDES), jitter)
        self._said, self._shown = Markup(live=True), Markup()
        sliders = (
            column(self._failure, self._retries, self._clients, self._capacity),
            column(self._delay, self._backoff, self._longest, row(self._jitter, self._seed)),
        )
        super().__init__(row(*sliders), self._said, self._shown)
        for control in self._controls():
            control.observe(self._draw, "value")
        self._draw()

    def _controls(self) -> tuple[Any, ...]:
        return (
            self._failure,
            self._retries,
            self._delay,
            self._backoff,
            self._longest,
            self._clients,
            self._capacity,
            self._seed,
            self._jitter,
        )

    @property
    def crowd(self) -> Crowd:
        """What the controls say."""
        return Crowd(
            retry=Retry(
                max_retries=int(self._retries.value),
                delay_s=self._delay.value,
                backoff=self._backoff.value,
                max_delay_s=self._longest.value,
            ),
            clients=int(self._clients.value),
            failure_rate=self._failure.value / 100,
            capacity=int(self._capacity.value) or None,
            window_s=self._window_s,
            seed=int(self._seed.value),
        )

    def results(self) -> tuple[Simulation, ...]:
        """The simulations that are shown: without jitter, with it, or both in this order."""
        return tuple(simulate(self.crowd.with_jitter(side)) for side in _SIDES[self._jitter.value])

    def _draw(self, _: object = None) -> None:
        found = self.results()
        self._said.markup = _words(found)
        panels = "".join(f'<div class="mlkit-scroll">{one}</div>' for one in draw_each(found))
        self._shown.markup = f'<div class="mlkit-panels">{panels}</div>' + _small(found)

    def pictures(self) -> Sequence[str]:
        """Time lines and load."""
        return [draw_crowds(self.results())]

    def static_html(self) -> str:
        """The numbers, and what is simulated."""
        found = self.results()
        return _words(found) + _small(found)


def _usual() -> Crowd:
    return Crowd(
        retry=Retry(max_retries=4, delay_s=0.5, backoff=2, max_delay_s=10),
        clients=24,
        failure_rate=0.1,
        capacity=4,
        seed=1,
    )


def _words(found: Sequence[Simulation]) -> str:
    items = [
        f"<li><strong>{'With' if one.crowd.retry.jitter else 'Without'} jitter:</strong> "
        f"{escape(figures(one))}.</li>"
        for one in found
    ]
    return f"<ul>{''.join(items)}</ul>"


def _small(found: Sequence[Simulation]) -> str:
    return f'<p class="mlkit-quiet">{escape(caption(found))}</p>'
