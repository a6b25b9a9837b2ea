"""nbval's running kernel, for code that nobody trusts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from queue import Empty
from typing import Literal

from nbval.kernel import RunningKernel

from mlkit.errors import GradingError
from mlkit.grading.sandbox.channels import FloodError, Message, Wire
from mlkit.grading.sandbox.jail import Jail
from mlkit.grading.sandbox.limits import PATIENCE
from mlkit.grading.sandbox.walls import Isolation, Surroundings
from mlkit.grading.sandbox.witness import Witness

__all__ = ["InmateKernel", "Reason"]

Reason = Literal["", "timeout", "died", "output", "memory", "files"]

SLICE_S = 0.2  # how often its memory is looked at: what it can take meanwhile is not seen
# On a busy machine a kernel that computes has more of the wall clock, step by step, until it has
# had as much of the processors as it would have had alone.
STEP_S = 1.0
LATE_S = 0.5  # of a look that came late, when the kernel computes no more, no more is its own time
# After its reply a kernel may still put out what it has kept back.
OUTPUT_S = 10.0


class InmateKernel(RunningKernel):  # type: ignore[misc]  # nbval is not typed
    """A kernel in a jail, with the methods that nbval calls.

    A dead kernel is noticed at once; output or memory beyond the limit ends it; so does an
    interrupt: code that swallows interrupts gets no second chance. `reason` says what ended it.
    """

    def __init__(self, surroundings: Surroundings, isolation: Isolation) -> None:
        self.reason: Reason = ""
        self.asleep = self.waiting = False
        self.spent_s = 0.0
        """What its cells have had of their time (`Limits.total_s`)."""
        self._jail = Jail(surroundings, isolation)
        self._limits = surroundings.limits
        self._looked_at = self._cell_deadline = self._begun_at = self._used_before_s = 0.0
        self._counted_at = self._counted_used_s = 0.0
        try:
            self._jail.await_sockets()
            self._wire = Wire(
                self._jail.prefix,
                key=self._jail.key.encode(),
                output_bytes=self._limits.output_bytes,
                ended_fd=self._jail.ended_fd,
            )
        except BaseException:
            self._jail.close()
            raise
        self._await_welcome()

    def _await_welcome(self) -> None:
        """The kernel says when our subscription to its output has reached it."""
        try:
            while self._wire.receive("iopub", self._limits.start_s)["msg_type"] != "iopub_welcome":
                continue
        except (Empty, FloodError) as error:
            words = self._jail.last_words()
            self.stop()
            raise GradingError(f"the kernel does not answer: {words}", code="E805") from error

    def execute_cell_input(self, cell_input: str, *, allow_stdin: bool | None = None) -> str:
        """Send a cell's code; nothing of it is kept in the kernel's history."""
        self._begun_at, self._used_before_s = time.monotonic(), self._jail.used_s()
        self._counted_at, self._counted_used_s = self._begun_at, self._used_before_s
        self._cell_deadline = self._begun_at + self._limits.cell_s + OUTPUT_S
        content = {"code": cell_input, "silent": False, "store_history": False}
        more = {"user_expressions": {}, "allow_stdin": False, "stop_on_error": False}
        return self._wire.send("execute_request", {**content, **more})

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for a request's reply, watching what the kernel uses meanwhile.

        Raises
        ------
        queue.Empty
            If the time is over or the kernel has ended; `reason` says which.
        """
        deadline = time.monotonic() + (timeout or self._limits.cell_s)
        while self._next("shell", deadline)["parent_header"].get("msg_id") != msg_id:
            continue
        self._look_at_use()

    def get_message(self, stream: str, timeout: float | None = None) -> Message:
        """The next message of a channel; `queue.Empty` if the kernel has ended or says nothing.

        A kernel that goes on talking has no more time than one that is silent.
        """
        now = time.monotonic()
        if 0 < self._cell_deadline < now:
            raise self._ended("timeout")
        return self._next(stream, now + (timeout or SLICE_S))

    def _next(self, channel: str, deadline: float) -> Message:
        """Receive in slices; between them look at what the kernel holds."""
        while True:
            left = deadline - time.monotonic()
            if time.monotonic() - self._looked_at > SLICE_S:
                self._look_at_use()
            try:
                return self._wire.receive(channel, max(0.001, min(SLICE_S, left)))
            except FloodError:
                raise self._ended("output") from None
            except Empty:
                deadline += self._look_in(left)

    def _look_in(self, left_s: float) -> float:
        """More time, if it is owed some; raise `Empty` if the kernel has ended, or has to."""
        if not self.is_alive():
            raise self._ended("died")
        if left_s > SLICE_S:
            return 0.0
        more_s = self._owed_s()
        if more_s <= SLICE_S:
            raise self._ended("timeout")
        self._cell_deadline += more_s
        return more_s

    def _owed_s(self) -> float:
        """What a cell that computes has had too little of the processors, a step of it at most."""
        if not self._begun_at or not self._jail.is_computing():
            return 0.0
        spent_s = self._jail.used_s() - self._used_before_s
        latest = self._begun_at + PATIENCE * self._limits.cell_s
        return min(STEP_S, self._limits.cell_s - spent_s, latest - time.monotonic())

    def _look_at_use(self) -> None:
        """Count its time; raise `Empty` if the kernel holds more than it may."""
        excess = self._jail.excess()
        self._looked_at = time.monotonic()
        self._count_time()
        if excess:
            raise self._ended(excess)

    def _count_time(self) -> None:
        """Add what has passed since the last look: of a cell that computes, what it has had."""
        if not self._begun_at:
            return
        now = time.monotonic()
        own_s = wall_s = now - self._counted_at
        if wall_s > SLICE_S:  # most cells are shorter, and to look into /proc takes a while
            used_s = self._jail.used_s()
            had_s = max(0.0, used_s - self._counted_used_s)
            own_s = min(wall_s, had_s if self._jail.is_computing() else max(had_s, LATE_S))
            self._counted_used_s = used_s
        self.spent_s += own_s
        self._counted_at = now

    def is_watched(self) -> bool:
        """Whether it can be told from here what the kernel holds."""
        return self._jail.is_watched()

    def _ended(self, reason: Reason) -> Empty:
        """End the kernel for a reason, and give what nbval takes for silence."""
        if reason == "died" and self._jail.excess() == "memory":
            reason = "memory"  # the operating system has ended it
        if reason == "timeout" and not self.reason:
            self.asleep, self.waiting = self._jail.is_asleep(), self._jail.is_waiting()
        self.reason = self.reason or reason
        self._jail.kill()
        return Empty()

    def witness(self, files: Mapping[str, str], watched: str) -> tuple[Witness, str]:
        """A folder that is looked at from here, and its path as the kernel sees it."""
        return self._jail.witness(files, watched)

    def is_alive(self) -> bool:
        """Whether the kernel runs."""
        return self._jail.is_alive()

    def interrupt(self) -> None:
        """End the kernel."""
        self._jail.kill()

    def stop(self) -> None:
        """End the kernel and remove what belongs to it; may be called again."""
        self._jail.kill()
        self._wire.close()
        self._jail.close()
