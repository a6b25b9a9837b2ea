"""A command whose usage line reads as that of any other program."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

__all__ = ["PlainCommand"]


class PlainCommand(TyperCommand):
    """Writes what must be given as RUN, not as {RUN}; an argument without help is in another's."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Give the words behind the command's name."""
        shown = [each for each in self.get_params(ctx) if not getattr(each, "hidden", False)]
        pieces = [piece for each in shown for piece in each.get_usage_pieces(ctx)]
        return [self.options_metavar or "", *(piece.strip("{}") for piece in pieces)]
