"""Which product an extraction speaks of: the same, a new one, or two in one (R-B7)."""

from omni_pipeline.domain.products.matching import Known, Matcher

GTIN, OTHER_GTIN = "gtin:04012345678901", "gtin:04012345678918"
URL = "url:https://shop.test/p"


def test_a_key_leads_to_its_product() -> None:
    matcher = Matcher({7: Known(keys={"sku::a1", URL}, name="Lamp")})
    assert matcher.match(["sku::a1"], "Lamp, brass") == 7
    assert matcher.match([URL], None) == 7


def test_an_unknown_product_is_new_and_is_known_from_then_on() -> None:
    matcher = Matcher({})
    assert matcher.match([GTIN, URL], "Lamp") == -1
    assert matcher.match([GTIN], "Lampe") == -1
    assert matcher.match(["url:https://shop.test/q"], "Fuse") == -2
    assert matcher.new_ids == [-1, -2]
    assert matcher.owners[URL] == -1


def test_an_address_that_shows_another_number_shows_another_product() -> None:
    matcher = Matcher({7: Known(keys={GTIN, "sku::a1", URL}, name="Lamp")})
    assert matcher.match([OTHER_GTIN, URL], "Lamp") == -1
    assert matcher.owners[URL] == -1
    assert matcher.owners[GTIN] == 7


def test_a_brand_that_is_named_today_makes_no_other_product() -> None:
    matcher = Matcher({7: Known(keys={"sku::a1", URL}, name="Lamp")})
    assert matcher.match(["sku:acme:a1", URL], "Lamp") == 7
    assert matcher.owners["sku:acme:a1"] == 7


def test_one_gtin_outweighs_two_skus() -> None:
    matcher = Matcher({7: Known(keys={GTIN, "sku::a1"}, name="Lamp")})
    assert matcher.match([GTIN, "sku::b2"], "Lamp") == 7


def test_two_products_that_are_one_are_joined_to_the_older() -> None:
    known = {9: Known(keys={"sku::a1"}, name="Lamp"), 7: Known(keys={URL}, name="Lamp")}
    matcher = Matcher(known)
    assert matcher.match(["sku::a1", URL], "Lamp") == 7
    assert matcher.absorbed == {9: 7}
    assert matcher.owners["sku::a1"] == 7
    assert matcher.settled(9) == 7


def test_products_of_two_numbers_are_never_joined() -> None:
    known = {7: Known(keys={GTIN}, name="Lamp"), 9: Known(keys={OTHER_GTIN, URL}, name="Lamp")}
    matcher = Matcher(known)
    assert matcher.match([GTIN, URL], "Lamp") == 7
    assert matcher.absorbed == {}
    assert matcher.owners[OTHER_GTIN] == 9


def test_a_word_that_every_page_prints_where_a_sku_is_expected_joins_no_shop() -> None:
    matcher = Matcher({})
    names = ["Oak table", "Rain coat", "Copper kettle"]
    found = [matcher.match(["sku::na", f"url:https://shop.test/{n}"], n) for n in names]
    assert found == [-1, -2, -3]
    assert matcher.owners["sku::na"] == -1
