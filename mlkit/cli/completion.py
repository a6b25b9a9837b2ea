"""`mlkit completion`: the words that a shell's Tab key offers; `candidates.py` finds them."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption
from mlkit.cli.shells import Shell, script_of

__all__ = ["completion"]


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="Which one: bash, zsh or fish.")],
    *,
    as_json: JsonOption = False,
) -> None:
    r"""Print what lets a shell complete mlkit's words by Tab.

    Then Tab offers commands and options, and what is in the pipeline: runs and their names,
    stages and instances, parameters with their values, profiles, artifacts. It reads and starts
    nothing. What is printed is the same for each pipeline: keep it, and open a new shell.

    \b
    Examples
      mlkit completion bash >> ~/.bashrc
      mlkit completion zsh >> ~/.zshrc         behind the line with compinit
      mlkit completion fish > ~/.config/fish/completions/mlkit.fish
      eval "$(mlkit completion bash)"          for this shell only
      mlkit show latest tr<Tab>                is train, if a stage is called so
    """
    script = script_of(shell)
    if as_json:
        print_json({"shell": shell.value, "script": script})
    else:
        typer.echo(script)
