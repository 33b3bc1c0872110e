"""Make ready models: all of them, or those that are named."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from tools.zoo import makers
from tools.zoo.making import Making, make

SHELF = Path(__file__).parents[2] / "src" / "aimass" / "models" / "zoo"


def main() -> None:
    """Make, and say what each reaches."""
    known = [module.name.replace("_", "-") for module in iter_modules(makers.__path__)]
    parser = argparse.ArgumentParser(prog="python -m tools.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*known, []], default=[], metavar="name", help=", ".join(known))
    parser.add_argument("--data", type=Path, help="folder of the data sets that no package brings (see the makers)")
    wish = parser.parse_args()
    for name in wish.names or known:
        making: Making = import_module(f"{makers.__name__}.{name.replace('-', '_')}").MAKING
        about = make(name, making, wish.data, SHELF)
        found = about["evaluation"]["interval"]
        print(f"{name}: {found['metric']} {found['value']:.4f} on {about['evaluation']['rows']} rows", flush=True)


if __name__ == "__main__":
    main()
