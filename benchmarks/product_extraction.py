"""How well and how fast products are extracted from a folder of saved shop pages.

FOLDER holds `html/KEY.html.gz` (or `.html`) and `ground-truth.json`, which maps each key to the
page's `url` and to lists of accepted values by attribute. Matching is that of the public
product-extraction-benchmark: a value counts when it equals one of the accepted ones, prices as
decimals, everything else as text; a wrong value is a false positive, and a miss as well where the
page has one. Attributes that the ground truth does not have are left out of the table.
"""

import argparse
import gzip
import json
import resource
import time
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from omni_pipeline.domain.products.extraction import extract_products
from omni_pipeline.domain.products.gtins import normalize_gtin
from omni_pipeline.domain.products.model import PageKind, Product

ATTRIBUTES = (
    "price",
    "sku",
    "availability",
    "InStock",
    "OutOfStock",
    "gtin",
    "mpn",
    "brand",
    "name",
)


@dataclass(kw_only=True)
class Score:
    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, accepted: set[Any], value: object) -> bool:
        """Count one page; returns whether it was answered as the ground truth has it."""
        is_right = value is not None and value in accepted
        self.right += is_right
        self.wrong += value is not None and not is_right
        self.missed += bool(accepted) and not is_right
        return is_right or (value is None and not accepted)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)


def answers(product: Product | None) -> dict[str, str]:
    """The product in the words of the ground truth."""
    if product is None:
        return {}
    stock = product.availability
    side = None if stock is None else "InStock" if stock.can_be_embedded else "OutOfStock"
    found = {
        "price": str(product.price_amount) if product.price_amount is not None else None,
        "sku": product.sku,
        "availability": side,
        "InStock": side if side == "InStock" else None,
        "OutOfStock": side if side == "OutOfStock" else None,
        "gtin": product.gtin,
        "mpn": product.mpn,
        "brand": product.brand,
        "name": product.name,
    }
    return {name: value for name, value in found.items() if value is not None}


def comparable(attribute: str, value: str) -> object:
    if attribute == "price":
        return Decimal(value.strip())
    if attribute == "gtin":
        return normalize_gtin(value) or value
    if attribute in ("brand", "name"):
        return " ".join(value.split()).casefold()
    return value


def load_pages(folder: Path, truth: dict[str, Any]) -> dict[str, str]:
    pages: dict[str, str] = {}
    for key in truth:
        packed, plain = folder / "html" / f"{key}.html.gz", folder / "html" / f"{key}.html"
        raw = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
        pages[key] = raw.decode(errors="replace")
    return pages


def extract_all(
    pages: dict[str, str], truth: dict[str, Any]
) -> tuple[dict[str, dict[str, str]], float]:
    """Returns the answers by key, and the seconds of CPU that they took."""
    begun = time.process_time()
    products = {key: extract_products(html, url=truth[key]["url"]) for key, html in pages.items()}
    seconds = time.process_time() - begun
    own = {
        key: next((product for product in found if product.page_kind is PageKind.DETAIL), None)
        for key, found in products.items()
    }
    return {key: answers(product) for key, product in own.items()}, seconds


def print_scores(
    found: dict[str, dict[str, str]], truth: dict[str, Any], *, show_errors: bool
) -> None:
    print(f"{'attribute':<14}{'F1':>8}{'precision':>12}{'recall':>9}{'pages':>8}")
    for attribute in ATTRIBUTES:
        score = Score()
        support = sum(attribute in page for page in truth.values())
        if not support:
            continue
        for key, page in truth.items():
            accepted = {comparable(attribute, value) for value in page.get(attribute, [])}
            value = found[key].get(attribute)
            compared = comparable(attribute, value) if value is not None else None
            if not score.add(accepted, compared) and show_errors:
                print(f"  {key[:8]} {page['url'][:60]} wants {page.get(attribute)} got {value!r}")
        print(
            f"{attribute:<14}{score.f1:>8.3f}{score.precision:>12.3f}{score.recall:>9.3f}"
            f"{support:>8}"
        )


def print_cost(pages: dict[str, str], truth: dict[str, Any], passes: int) -> None:
    for number in range(1, passes + 1):
        _, seconds = extract_all(pages, truth)
        print(
            f"pass {number}: {len(pages) / seconds:.1f} pages per CPU-second, "
            f"{resident_megabytes():.0f} MB resident"
        )


def resident_megabytes() -> float:
    try:
        resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux: the peak is all there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return resident_pages * resource.getpagesize() / 2**20


def print_memory(pages: dict[str, str], truth: dict[str, Any], limit: int) -> None:
    """Extract ``limit`` pages, the same ones again and again, and tell what memory that takes."""
    print(f"{'pages':>8}{'resident MB':>14}{'peak MB':>10}{'pages per CPU-second':>24}")
    marks = {limit // 10, limit // 4, limit // 2, limit}
    begun = time.process_time()
    for number, key in enumerate(islice(cycle(pages), limit), start=1):
        extract_products(pages[key], url=truth[key]["url"])
        if number in marks:
            pace = number / (time.process_time() - begun)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{number:>8,}{resident_megabytes():>14.1f}{peak:>10.1f}{pace:>24.1f}", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passes", type=int, default=3, help="over all pages, for the speed")
    parser.add_argument(
        "--memory", type=int, metavar="PAGES", help="only extract so many, and tell the memory"
    )
    parser.add_argument("--show-errors", action="store_true")
    parser.add_argument("--output", type=Path, help="write the answers here, as JSON by key")
    given = parser.parse_args()
    truth = json.loads((given.folder / "ground-truth.json").read_text(encoding="utf-8"))
    pages = load_pages(given.folder, truth)
    if given.memory:
        print_memory(pages, truth, given.memory)
        return
    found, _ = extract_all(pages, truth)
    print_scores(found, truth, show_errors=given.show_errors)
    if given.output:
        given.output.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    print_cost(pages, truth, given.passes)


if __name__ == "__main__":
    main()
