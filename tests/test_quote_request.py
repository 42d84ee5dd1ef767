"""Reading a quote: from a file, a mapping or the sample; whatever is wrong is said at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from factories import NOON, make_config, make_quote, make_supplier, quote_fields

from actors.config import Config, load_config
from actors.errors import QuoteError
from actors.quote_request import SAMPLE, QuoteRequest, new_quote, read_quote_request
from storage.mandates import LineId, limit_keys
from storage.records import Quote, QuoteStatus

SAMPLES = sorted(SAMPLE.parent.glob("*.toml"))


def read(config: Config | None = None, **fields: Any) -> Quote:
    """What becomes of a quote for one line of widgets, some of its fields changed."""
    configured = (config or make_config()).suppliers
    request = read_quote_request(quote_fields() | fields, configured)
    return new_quote(request, configured, lambda: NOON)


def mistakes(config: Config | None = None, **fields: Any) -> list[str]:
    with pytest.raises(QuoteError) as raised:
        read(config, **fields)
    return list(raised.value.mistakes)


def mandate(**changes: Any) -> dict[str, Any]:
    return {"mandate": quote_fields()["mandate"] | changes}


# What can be read


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_every_sample_can_be_asked_with_the_default_config(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    config = load_config(tmp_path / "config.toml")

    quote = new_quote(read_quote_request(sample), config.suppliers, lambda: NOON)

    assert quote.status is QuoteStatus.PENDING
    assert [line.id for line in quote.lines] == ["bottle", "lid"]
    assert {s.id for s in (*config.suppliers, *quote.brought)} >= set(quote.suppliers)


def test_nothing_reads_the_sample() -> None:
    assert read_quote_request(None) == read_quote_request(SAMPLE) == read_quote_request(str(SAMPLE))


def test_a_file_a_mapping_and_a_request_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "quote.toml"
    path.write_text(
        'lines = [{ id = "widget", product = "Widget", quantity = 100 }]\n'
        'payment_options = ["net 30", "30/70", "33/33/33"]\n'
        '[mandate]\nunit_price = { target = "5.00", limit = "8.00" }\n'
        'lead_time_days = { target = 25, limit = 45 }\npayment = ["net 30", "30/70"]\n'
    )

    request = read_quote_request(path)

    assert request == read_quote_request(quote_fields())
    assert read_quote_request(request) is request


def test_a_new_quote_is_pending_with_an_id_of_its_own() -> None:
    quotes = [read(), read()]

    for quote in quotes:
        assert quote.id.startswith("q-")
        assert len(quote.id) == 18
        assert (quote.status, quote.created_at) == (QuoteStatus.PENDING, NOON)
        assert quote.automatic
        assert quote.completed_at is None
    assert quotes[0].id != quotes[1].id


@pytest.mark.parametrize("line_id", ["bottle", None])
def test_a_quote_with_one_line_may_name_its_unit_price_alone(line_id: str | None) -> None:
    line = {"product": "Widget", "quantity": 1} | ({"id": line_id} if line_id else {})

    quote = read(lines=[line])

    assert set(quote.mandate.prices) == {line_id or "line-1"}


def test_lines_without_an_id_are_numbered_by_their_place() -> None:
    line = {"product": "Widget", "quantity": 1}
    prices = {
        f"{line_id}.unit_price": {"target": "5.00", "limit": "8.00"}
        for line_id in ("line-1", "lid", "line-3")
    }
    others = {k: v for k, v in quote_fields()["mandate"].items() if k != "unit_price"}

    quote = read(lines=[line, line | {"id": "lid"}, line], mandate=prices | others)

    assert [line.id for line in quote.lines] == ["line-1", "lid", "line-3"]


def test_a_quote_asks_all_suppliers_unless_it_names_some() -> None:
    config = make_config([make_supplier(number) for number in (1, 2, 3)])

    assert read(config).suppliers == ("supplier-1", "supplier-2", "supplier-3")
    assert read(config, suppliers=["supplier-3", "supplier-1"]).suppliers == (
        *("supplier-3", "supplier-1"),
    )


@pytest.mark.parametrize(
    ("suppliers", "asked", "brought"),
    [
        (None, ("supplier-1", "supplier-9"), 1),
        (["supplier-9"], ("supplier-9",), 1),
        (["supplier-1"], ("supplier-1",), 0),
    ],
)
def test_a_quote_may_bring_suppliers_that_only_it_knows(
    suppliers: list[str] | None, asked: tuple[str, ...], brought: int
) -> None:
    own = make_supplier(9)

    quote = read(supplier=[own.model_dump(mode="json")], suppliers=suppliers)

    assert quote.suppliers == asked
    assert quote.supplier_names == tuple(f"Supplier {name[-1]}" for name in asked)
    assert quote.brought == (own,) * brought


@pytest.mark.parametrize(
    ("given", "options"),
    [(None, ("net 30", "30/70")), (["30 / 70", "100 net 30", "30/70"], ("30/70", "net 30"))],
)
def test_payment_options_are_canonical_and_default_to_what_the_mandate_accepts(
    given: list[str] | None, options: tuple[str, ...]
) -> None:
    assert read(payment_options=given).payment_options == options


@pytest.mark.parametrize(
    ("currency", "target", "written"),
    [("USD", "5", "5.00"), ("USD", 5, "5.00"), ("JPY", "5", "5"), ("KWD", "5.5", "5.500")],
)
def test_prices_get_exactly_the_decimals_of_the_currency(
    currency: str, target: Any, written: str
) -> None:
    config = make_config([make_supplier().model_copy(update={"currency": currency})])
    price = {"target": target, "limit": "8"}

    quote = read(config, currency=currency, **mandate(unit_price=price))

    assert str(quote.mandate.prices[LineId("widget")].target) == written


def test_a_line_may_ask_for_a_price_alone_beside_one_that_orders() -> None:
    lines = [{"id": i, "product": "Widget", "quantity": q} for i, q in (("a", "0"), ("b", "2.5"))]
    prices = {f"{i}.unit_price": {"target": "5.00", "limit": "8.00"} for i in ("a", "b")}
    others = {k: v for k, v in quote_fields()["mandate"].items() if k != "unit_price"}

    quote = read(lines=lines, mandate=prices | others)

    assert quote.request.quantity == Decimal("2.5")


# What is refused


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"colour": "red"}, "quote: colour: "),
        ({"lines": "widgets"}, "quote: lines: "),
        ({"lines": None}, "quote: lines: "),
        ({"lines": ["widget"]}, "quote: lines.0: "),
        ({"lines": [{"product": "Widget", "quantity": 2.5}]}, "quote: lines.0.quantity: "),
        ({"lines": [{"product": "Widget", "quantity": "-1"}]}, "quote: lines.0.quantity: "),
        ({"mandate": None}, "quote: mandate: "),
        ({"notes": "x" * 501}, "quote: notes: "),
        ({"priorities": {"cost": 26}}, "quote: priorities: "),
        (
            mandate(unit_price={"target": 5.0, "limit": "8.00"}),
            "quote: mandate.widget.unit_price.target: ",
        ),
        (
            mandate(warranty=1),
            "quote: mandate.warranty: unknown key: known are <line id>.",
        ),
    ],
)
def test_what_can_not_be_read_is_named_with_its_field(fields: dict[str, Any], mistake: str) -> None:
    (said,) = mistakes(**fields)

    assert said.startswith(mistake)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"currency": "XXX"}, "currency: unknown currency: write a code such as USD"),
        ({"lines": []}, "lines: no line has a quantity above 0: write one"),
        (
            {"lines": [{"product": "Widget", "quantity": "0"}]},
            "lines: no line has a quantity above 0: write one",
        ),
        (
            {"lines": [{"id": "a", "product": "Widget", "quantity": 1}] * 2},
            "lines.1.id: is another one's too: give each an id of its own",
        ),
        (
            {"lines": [{"id": i, "product": "Widget", "quantity": 1} for i in "ab"]},
            "mandate.unit_price: there is no such line: write a.unit_price and b.unit_price",
        ),
        (
            mandate(unit_price={"target": "8.01", "limit": "8.00"}),
            "mandate.widget.unit_price: the limit must not be below the target",
        ),
        (
            mandate(unit_price={"target": "5.005", "limit": "8.00"}),
            "mandate.widget.unit_price.target: has more than the 2 decimals of USD",
        ),
        (
            mandate(lead_time_days={"target": 46, "limit": 45}),
            "mandate.lead_time_days: the limit must not be below the target",
        ),
        (
            {"payment_options": ["30/70", "soon"]},
            'payment_options.1: expected payment such as "30/70" or "net 30"',
        ),
        (
            {"payment_options": ["50/50", "30/70"], **mandate(payment=["net 30"])},
            "mandate.payment: accepts none of payment_options: list one of them",
        ),
        ({"suppliers": []}, "suppliers: name at least one"),
        ({"suppliers": ["supplier-1"] * 2}, "suppliers: one is named twice: name each once"),
        ({"suppliers": ["acme"]}, "suppliers: unknown supplier 'acme': known are supplier-1"),
        (
            {"supplier": [make_supplier(9).model_dump(mode="json")] * 2},
            "supplier.1.id: is another one's too: give each an id of its own",
        ),
        ({"currency": "EUR"}, "suppliers: supplier-1 prices in USD, not EUR: don't ask it"),
        (
            {"lines": [{"id": "a", "product": "Gadget", "quantity": 1}]},
            "suppliers: supplier-1 has no price for 'Gadget': ask others for a",
        ),
    ],
)
def test_a_quote_that_contradicts_itself_is_refused(fields: dict[str, Any], said: str) -> None:
    assert f"quote: {said}" in mistakes(**fields)


def test_all_mistakes_are_said_at_once() -> None:
    lines = [
        {"id": "a", "product": "Widget", "quantity": 2.5, "wieght": 1},
        {"id": "a", "product": "Widget"},
    ]
    stray = make_supplier(9).model_dump(mode="json")
    stray["private"] |= {"payment": ["soon"], "prices": {"Widget": {"list": 5, "floor": 6}}}

    said = mistakes(
        colour="red",
        notes=7,
        currency="XXX",
        lines=lines,
        priorities={"cost": 26},
        supplier=[stray],
        payment_options=["later", "30/70"],
        suppliers=["acme", "supplier-9", "supplier-1", "supplier-1"],
        **mandate(
            unit_price={"target": "9.00", "limit": "8.00"},
            lead_time_days={"target": 46, "limit": 45},
            payment="30/70",
            lead_time=1,
        ),
    )

    limits = f"known are {', '.join(limit_keys())}"
    assert said == [
        "quote: currency: unknown currency: write a code such as USD",
        "quote: notes: expected text: write it in quotes",
        "quote: priorities: the four sum to 101: write whole numbers that sum to 100",
        'quote: lines.0.quantity: expected a plain number as text, such as "6.40"',
        "quote: lines.0.wieght: unknown key: known are id, product, quantity, unit",
        "quote: lines.1.quantity: is missing: add it",
        "quote: lines.1.id: is another one's too: give each an id of its own",
        'quote: supplier.0.private.payment.0: expected payment such as "30/70" or "net 30"',
        "quote: supplier.0.private.prices.Widget: the floor must not be above the list price",
        'quote: payment_options.0: expected payment such as "30/70" or "net 30"',
        f"quote: mandate.lead_time: unknown key: did you mean lead_time_days? {limits}",
        'quote: mandate.payment: expected a list of payments, such as ["30/70", "net 30"]',
        "quote: mandate.unit_price: the limit must not be below the target",
        "quote: mandate.a.unit_price: is missing: add it",
        "quote: mandate.unit_price: there is no such line: write a.unit_price",
        "quote: mandate.lead_time_days: the limit must not be below the target",
        "quote: suppliers: one is named twice: name each once",
        "quote: suppliers: unknown supplier 'acme': known are supplier-1",
        f"quote: colour: unknown key: known are {', '.join(QuoteRequest.model_fields)}",
    ]


@pytest.mark.parametrize(
    ("content", "mistake"), [(None, "can't be read: No such file"), ("lines = [", "not valid TOML")]
)
def test_a_file_that_can_not_be_read_is_refused_in_one_line(
    tmp_path: Path, content: str | None, mistake: str
) -> None:
    path = tmp_path / "quote.toml"
    if content is not None:
        path.write_text(content)

    with pytest.raises(QuoteError, match=mistake) as raised:
        read_quote_request(path)

    assert len(raised.value.mistakes) == 1


def test_the_quote_holds_what_the_person_wrote() -> None:
    quote = make_quote(notes="In cartons.", priorities={"cost": 40, "quality": 10})

    assert (quote.notes, quote.priorities.cost, quote.priorities.quality) == ("In cartons.", 40, 10)
    assert quote.lines[0].unit == "pcs"


def test_what_a_person_wrote_is_cut_and_harmless_in_a_mistake() -> None:
    long = "\x1b" * 10_000
    unknown: dict[str, Any] = {long: 1}

    for line in mistakes(suppliers=[long], **unknown):
        assert "\x1b" not in line
        assert len(line) < 500


def test_who_is_brought_with_a_mistake_is_not_called_unknown() -> None:
    stray = make_supplier(9).model_dump(mode="json") | {"quality": 6}

    said = mistakes(supplier=[stray], suppliers=["supplier-9"])

    assert said == ["quote: supplier.0.quality: is too large: write 5 or less"]
