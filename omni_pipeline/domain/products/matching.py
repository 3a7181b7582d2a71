"""Decides which known product each extraction speaks of: the same one, a new one, or two in one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from omni_pipeline.domain.html.page import words_of

_NUMBERS = ("gtin", "sku")


@dataclass(kw_only=True)
class Known:
    """A product as it is known: its keys (see ``product_identity``) and its name."""

    keys: set[str] = field(default_factory=set)
    name: str | None = None


class Matcher:
    """Matches extractions to known products, one after the other.

    A key leads to the product that owns it, unless they contradict each other:

    * Two different GTINs, or without them two different SKUs, are two products: a page whose
      address now shows another number shows another product, and takes the address along.
    * One SKU under names without a common word is a mistake of the extraction, not one product:
      otherwise a word that a template prints on every page would join a whole shop.

    Keys that lead to several products which do not contradict each other join them.

    Attributes:
        owners: Who owns which key, changes included.
        absorbed: The product that another one became part of, by that one's id.
        new_ids: Below zero, in their order; the store gives them their numbers.
    """

    def __init__(self, known: Mapping[int, Known]) -> None:
        self.owners = {key: product for product, one in known.items() for key in one.keys}
        self.absorbed: dict[int, int] = {}
        self.new_ids: list[int] = []
        self._known = dict(known)

    def match(self, keys: Sequence[str], name: str | None) -> int:
        """The product's id, for its keys, strongest first; keys are its own from now on."""
        shown = Known(keys=set(keys), name=name)
        product: int | None = None
        for key in keys:
            owner = self.owners.get(key)
            if owner is None or owner == product or not _is_one(shown, self._known[owner], key):
                continue
            if product is None:
                product = owner
            elif _is_one(self._known[product], self._known[owner], key):
                product, other = sorted((product, owner), key=_by_age)
                self._absorb(other, into=product)
        if product is None:
            product = self._add(name)
        self._give(keys, product)
        return product

    def settled(self, product: int) -> int:
        """The product that this one is part of in the end, or itself."""
        while product in self.absorbed:
            product = self.absorbed[product]
        return product

    def _add(self, name: str | None) -> int:
        product = -1 - len(self.new_ids)
        self.new_ids.append(product)
        self._known[product] = Known(name=name)
        return product

    def _absorb(self, other: int, *, into: int) -> None:
        self.absorbed[other] = into
        self._give(self._known[other].keys, into)

    def _give(self, keys: Iterable[str], product: int) -> None:
        """Numbers stay with whom they contradict; an address goes to whom it shows now."""
        for key in list(keys):
            owner = self.owners.get(key)
            if owner is None or owner == product or owner in self.absorbed or _kind(key) == "url":
                if owner is not None:
                    self._known[owner].keys.discard(key)
                self.owners[key] = product
                self._known[product].keys.add(key)


def _is_one(one: Known, other: Known, key: str) -> bool:
    """Whether two products that share ``key`` do not contradict each other."""
    mine, theirs = _numbers(one.keys), _numbers(other.keys)
    for kind in _NUMBERS:
        if mine[kind] and theirs[kind]:
            is_same = bool(mine[kind] & theirs[kind])
            return is_same and (kind == "gtin" or _are_alike(one.name, other.name))
    return _kind(key) != "sku" or _are_alike(one.name, other.name)


def _numbers(keys: Iterable[str]) -> dict[str, set[str]]:
    """The numbers of each kind; of a SKU without the brand, which not every page names."""
    found: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        found[_kind(key)].add(key.split(":", 2)[-1] if _kind(key) == "sku" else key)
    return found


def _by_age(product: int) -> tuple[bool, int]:
    """The product with the longer history comes first."""
    return product < 0, abs(product)


def _kind(key: str) -> str:
    return key.partition(":")[0]


def _are_alike(one: str | None, other: str | None) -> bool:
    return not one or not other or bool(words_of(one) & words_of(other))
