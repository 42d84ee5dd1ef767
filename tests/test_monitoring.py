"""What a person sees, with hostile text in every place where text can stand."""

from __future__ import annotations

import io
from typing import Any

import pytest
from factories import (
    NOON,
    as_saved,
    make_config,
    make_conversation,
    make_entry,
    make_negotiations,
    make_quote,
    make_supplier,
    make_terms,
)

from actors.events import QuoteCreated
from actors.monitoring.progress import Progress
from actors.monitoring.tables import (
    console,
    outcome_record,
    outcomes,
    public_quote,
    quotes_table,
    transcript,
)
from actors.negotiation_events import (
    MessageSavedEvent,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
)
from storage.records import (
    Move,
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Quote,
    QuoteId,
    Reason,
    Sender,
    SupplierId,
)

HOSTILE = "[bold red]x[/] \x1b]0;title\x07 :smile: \N{RIGHT-TO-LEFT OVERRIDE}evil"


def printed(renderable: Any, width: int = 120) -> str:
    out = io.StringIO()
    console(file=out, width=width, force_terminal=True, color_system=None).print(renderable)
    return out.getvalue()


@pytest.fixture
def quote() -> Quote:
    return make_quote(make_config([make_supplier(n) for n in (1, 2, 3)]))


@pytest.fixture
def ended(quote: Quote) -> list[Negotiation]:
    config = make_config([make_supplier(n) for n in (1, 2, 3)])
    agreed, impasse, parked = make_negotiations(quote, config)
    return [
        agreed.model_copy(
            update={
                "status": NegotiationStatus.COMPLETED,
                "agreed_terms": make_terms("7.10"),
                "rounds": 4,
            }
        ),
        impasse.model_copy(
            update={"status": NegotiationStatus.IMPASSE, "reason": Reason.WALK_AWAY}
        ),
        parked.model_copy(update={"last_error": HOSTILE}),
    ]


def test_outcomes_stand_side_by_side(quote: Quote, ended: list[Negotiation]) -> None:
    shown = printed(outcomes(quote, ended))

    for words in ("Supplier 1", "completed", "widget 7.10; 35 days; 30/70", "USD 710.00"):
        assert words in shown
    assert "walk_away" in shown
    assert "parked" in shown


@pytest.mark.parametrize("width", [40, 80, 200])
def test_hostile_text_is_shown_and_not_obeyed(
    quote: Quote, ended: list[Negotiation], width: int
) -> None:
    supplier = ended[0].supplier.model_copy(update={"name": HOSTILE})
    ended[0] = ended[0].model_copy(update={"supplier": supplier})
    entry = make_entry(make_conversation(), Sender.SUPPLIER, content=HOSTILE + "\nsecond line")

    for shown in (
        printed(outcomes(quote, ended), width),
        printed(transcript(quote, ended[0], [as_saved(entry)]), width),
    ):
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in shown
        assert "[bold" in shown or width < 80  # where a cell breaks in the middle of it


def test_a_transcript_shows_every_message_with_sender_move_and_terms(
    quote: Quote, ended: list[Negotiation]
) -> None:
    conversation = make_conversation()
    offer = make_entry(conversation, Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    accept = make_entry(conversation, Sender.SUPPLIER, Move.ACCEPT, accepts_seq=1, seq=2)

    shown = printed(transcript(quote, ended[0], [as_saved(offer), as_saved(accept)]))

    assert "1  brand  offer  (script)  2026-01-02T12:00:00.000000Z" in shown
    assert "widget 6.00; 35 days; 30/70" in shown
    assert "2  supplier  accept of 1" in shown


def test_quotes_are_listed_with_what_they_ask(quote: Quote) -> None:
    shown = printed(quotes_table([quote]))

    assert quote.id in shown
    assert "100 × Widget" in shown
    assert f"{NOON:%Y-%m-%d}" in shown


def test_of_a_quote_that_asks_many_a_row_names_the_first(quote: Quote) -> None:
    def shown(many: int) -> str:
        names = [f"s{n}" for n in range(1, many + 1)]
        return printed(quotes_table([quote.model_copy(update={"suppliers": names})]), width=200)

    assert "s1, s2, s3, s4, s5 │" in shown(5)
    assert "s1, s2, s3, s4, s5 and 95 more │" in shown(100)


def test_the_outcome_for_programs_has_the_columns_names(
    quote: Quote, ended: list[Negotiation]
) -> None:
    record = outcome_record(quote, ended)

    assert record["quote"]["id"] == quote.id
    assert record["negotiations"][0]["agreed_terms"] == {
        "unit_prices": {"widget": "7.10"},
        "lead_time_days": 35,
        "payment": "30/70",
    }
    assert [n["total"] for n in record["negotiations"]] == ["710.00", None, None]
    assert set(record["negotiations"][0]) == {
        *("id", "supplier_id", "status", "reason", "rounds", "agreed_terms", "last_error"),
        "total",
    }


def test_a_quote_for_programs_has_no_suppliers_private_side() -> None:
    config = make_config([make_supplier(1, floor="6.66")])

    assert "6.66" not in str(public_quote(make_quote(config)))


def test_progress_is_made_of_events_alone() -> None:
    ids: dict[str, Any] = {
        "quote_id": QuoteId("q-1"),
        "negotiation_id": NegotiationId("n-1"),
        "supplier_id": SupplierId("supplier-1"),
    }
    saved: dict[str, Any] = {"origin": "tactics", "currency": "USD", "move": "offer"}
    progress = Progress()
    progress.hear(QuoteCreated(quote_id=QuoteId("q-1")))
    for seq, sender, total in ((1, "brand", "500.00"), (2, "supplier", "900.00")):
        progress.hear(
            MessageSavedEvent(**ids, **saved, seq=seq, sender=sender, rounds=1, total=total)
        )

    shown = printed(progress)
    for words in ("supplier-1", "500.00", "900.00", "supplier offer", "1 negotiation in USD"):
        assert words in shown

    progress.hear(NegotiationEndedEvent(**ids, status="completed", reason=None, rounds=1))
    assert "agreed" in printed(progress)
    progress.hear(NegotiationParkedEvent(**ids, error="no move"))
    assert "parked: no move" in printed(progress)
