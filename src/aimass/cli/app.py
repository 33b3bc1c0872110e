"""The ``aimass`` command: groups are made when they are asked for, so that ``--help`` is quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click

from aimass._version import __version__
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError, Failed


class Tree(click.Group):
    """A group of commands whose words come from the catalogue, below a prefix.

    Parameters
    ----------
    prefix
        Words before this group, ``"data "``.
    local
        Commands that are written by hand: words to ``module:command``.
    """

    def __init__(self, prefix: str, local: Mapping[str, str], **options: object) -> None:
        super().__init__(name=prefix.strip() or "aimass", **options)  # pyright: ignore[reportArgumentType]
        self.prefix = prefix
        self.local = local

    def _words(self) -> list[str]:
        from aimass.cli.derived import words

        return [w for w in [*words(), *self.local] if w.startswith(self.prefix)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the next words."""
        del ctx
        return sorted({w.removeprefix(self.prefix).split(" ")[0] for w in self._words()})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a word that is written as an option: ``aimass train --auto`` is ``aimass train auto``."""
        if args and args[0].startswith("--") and self.prefix and f"{self.prefix}{args[0][2:]}" in self._words():
            args = [args[0][2:], *args[1:]]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; where files are taken, one of Python stands for itself: ``aimass train my_recipe.py``."""
        if args[0].endswith(".py") and f"{self.prefix}file" in self.local:
            args = ["file", *args]
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command or a deeper group."""
        del ctx
        full = self.prefix + cmd_name
        if full in self.local:
            return load(self.local[full])
        from aimass.cli.derived import command_of, words

        known = words()
        if full in known:
            return command_of(known[full], cmd_name)
        if any(w.startswith(full + " ") for w in self._words()):
            return Tree(full + " ", self.local, short_help=f"Commands of {full}.")
        return None


def run(local: Mapping[str, str], arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 only for success.

    Parameters
    ----------
    local
        Commands beside the derived ones: words to ``module:command``.
    """
    tree = Tree("", local, help="AI Mass: build, train, deploy, manage and scale AI models and AI services.")
    tree.params.append(click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version))
    try:
        code = tree.main(arguments, prog_name="aimass", standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except (AimassError, OSError) as error:
        return _complain(error)
    return code if isinstance(code, int) else 0  # click returns the code of a command that exits by itself


def _version(ctx: click.Context, param: click.Parameter, value: object) -> None:
    del param
    if value:
        click.echo(f"aimass {__version__}")
        ctx.exit()


def _complain(error: AimassError | OSError) -> int:
    """Say on standard error what is wrong, and the way out."""
    if isinstance(error, BrokenPipeError):
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # nobody reads any more: nothing is left to flush
        return 1
    if isinstance(error, OSError):
        error = Failed(f"{error.filename or 'the system'}: {error.strerror or error}")
    print(f"error: {error.message}", file=sys.stderr)  # noqa: T201 the terminal is where errors belong
    for name in ("allowed", "hint"):
        text = str(getattr(error, name) or "")
        if text and text not in error.message:
            print(f"  {name}: {text}", file=sys.stderr)  # noqa: T201
    return 1
