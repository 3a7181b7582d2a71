"""How many strings of prices are read right, and for how much CPU, beside price-parser.

    python -m benchmarks.price_strings FILE --peers-python PEERS/bin/python

FILE is price-parser's own table, `tests/test_price_parsing.py` of its source distribution
(`pip download --no-deps --no-binary price-parser price-parser`): each `Example(...)` names a string
and the amount that it expects. Without FILE the strings of our own table are read for speed alone.

Both see every string once before the clock starts, then take turns; the figure is the median. An
amount counts as right where it equals the expected one, or where both are none.
"""

import argparse
import ast
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from benchmarks.contenders import ROOT, run_peer
from omni_pipeline.domain.prices.money import parse_price

OWN_TABLE = ROOT / "omni_pipeline_tests" / "domain" / "price_strings.txt"
Row = tuple[str, Decimal | None]
_TEXT, _AMOUNT = 1, 4


def own_rows() -> list[Row]:
    lines = OWN_TABLE.read_text("utf-8").splitlines()
    fields = [line.split(";") for line in lines if not line.startswith("#")]
    return [(text, Decimal(more[0]) if more and more[0] else None) for text, _, _, *more in fields]


def examples(path: Path) -> Iterator[Row]:
    """The strings and amounts of price-parser's tests."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Example":
            text, amount = (_constant(node.args[at]) for at in (_TEXT, _AMOUNT))
            if isinstance(text, str):
                yield text, None if amount is None else Decimal(str(amount))


def _constant(node: ast.expr) -> object:
    if isinstance(node, ast.Call):  # Decimal("...")
        node = node.args[0]
    return ast.literal_eval(node)


def our_seconds(rows: list[Row]) -> float:
    begun = time.process_time()
    for text, _ in rows:
        parse_price(text)
    return time.process_time() - begun


def our_right(rows: list[Row]) -> int:
    prices = ((parse_price(text), expected) for text, expected in rows)
    return sum((price.amount if price else None) == expected for price, expected in prices)


def compare(rows: list[Row], peers_python: Path | None, *, rounds: int) -> None:
    our_right(rows)
    ours, peers = [], []
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(
            [(text, None if expected is None else str(expected)) for text, expected in rows], file
        )
        file.flush()
        for _ in range(rounds):
            ours.append(our_seconds(rows))
            if peers_python:
                peers.append(run_peer(peers_python, "price_parser_strings.py", file.name))
    own = statistics.median(ours) / len(rows)
    print(f"omni_pipeline   {own * 1e6:6.1f} us a string, {our_right(rows)} of {len(rows)} right")
    if peers:
        peer = statistics.median(peer["cpu_seconds"] for peer in peers) / len(rows)
        right = f"{peers[0]['right']:.0f} of {len(rows)} right"
        print(f"price-parser    {peer * 1e6:6.1f} us a string, {right}")
        print(f"ratio           {own / peer:6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path, nargs="?", help="price-parser's test_price_parsing.py")
    parser.add_argument("--peers-python", type=Path, help="has benchmarks/peers/requirements.txt")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    rows = list(examples(given.file)) if given.file else own_rows()
    compare(rows, given.peers_python, rounds=given.rounds)


if __name__ == "__main__":
    main()
