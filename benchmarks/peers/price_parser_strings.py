"""price-parser on strings of prices.

    python benchmarks/peers/price_parser_strings.py STRINGS.json

Prints one line of JSON: CPU seconds for all strings after a first pass, and how many amounts equal
the expected ones.
"""

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

from price_parser import Price


def main() -> None:
    rows = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    right = sum(
        Price.fromstring(text).amount == (None if expected is None else Decimal(expected))
        for text, expected in rows
    )
    begun = time.process_time()
    for text, _ in rows:
        Price.fromstring(text)
    print(json.dumps({"cpu_seconds": time.process_time() - begun, "right": right}))


if __name__ == "__main__":
    main()
