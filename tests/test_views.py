"""Rule 7: a view holds what its side may see, and a supplier's can't hold more."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from factories import (
    guided,
    make_config,
    make_conversation,
    make_supplier,
    make_terms,
    quote_fields,
    said,
)
from msgspec import Struct
from msgspec.structs import fields
from pydantic import BaseModel

from actors.mechanism.conversation import Conversation
from actors.mechanism.utility import Utility
from actors.mechanism.views import BrandView, SupplierView, View, view_for
from storage import records
from storage.mandates import Mandate
from storage.records import Move, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms


def conversation() -> Conversation:
    """All that is the brand's own is told apart by its figures."""
    suppliers = [
        make_supplier(1, list_price="9.31", floor="6.61", standard=41, shortest=26),
        make_supplier(2, list_price="9.77", floor="6.77"),
    ]
    priorities = {"quality": 13, "cost": 46, "lead_time": 24, "payment_terms": 17}
    fields = quote_fields(target="5.13", limit="8.47", lead_target=23, lead_limit=57)
    talk = make_conversation(make_config(suppliers), **{**fields, "priorities": priorities})
    talk = guided(talk, text="Squeeze them, we have 8.47!")
    talk = said(talk, Sender.BRAND, Move.OFFER, terms=make_terms("6.00", 30))
    return said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("9.00", 40))


def types_within(annotation: Any, seen: set[Any]) -> Iterator[Any]:
    """Every type that a value of this one can lead to by its fields."""
    if annotation in seen:
        return
    seen.add(annotation)
    yield annotation
    inner = list(typing.get_args(annotation))
    if typing.get_origin(annotation) is typing.Annotated:
        inner = inner[:1]
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        inner += [field.type for field in fields(annotation)]
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner += [field.annotation for field in annotation.model_fields.values()]
    for each in inner:
        yield from types_within(each, seen)


def test_no_field_of_a_supplier_view_can_hold_what_is_the_brands() -> None:
    reachable = set(types_within(SupplierView, set()))

    assert {records.Request, records.SupplierProfile, Terms} <= reachable
    assert reachable.isdisjoint(
        {
            BrandView,
            Conversation,
            records.Negotiation,
            records.Priorities,
            records.Quote,
            records.Supplier,
            records.SupplierPrivate,
        }
    )


def test_a_supplier_view_has_one_mandate_in_two_fields_and_it_is_its_own() -> None:
    hints = typing.get_type_hints(SupplierView)
    view = view_for(conversation(), Side.SUPPLIER)

    holders = {name for name, hint in hints.items() if Mandate in set(types_within(hint, set()))}

    assert holders == {"mandate", "utility"}
    assert view.utility.side is Side.SUPPLIER
    assert view.mandate == view.utility.mandate == conversation().supplier.mandate


def test_a_supplier_view_adds_no_field_to_what_both_sides_see() -> None:
    added = set(BrandView.__struct_fields__) - set(View.__struct_fields__)

    assert SupplierView.__struct_fields__ == View.__struct_fields__
    assert added == {"priorities"}


def test_nothing_of_the_brands_is_written_anywhere_in_a_supplier_view() -> None:
    written = repr(view_for(conversation(), Side.SUPPLIER))

    assert "9.00" in written
    assert "6.61" in written
    for private in ("5.13", "8.47", "513", "847", "23", "57", "46", "Squeeze", "user"):
        assert private not in written
    for rival in ("Supplier 2", "supplier-2", "9.77", "6.77"):
        assert rival not in written


def test_nothing_of_the_suppliers_is_written_anywhere_in_a_brand_view() -> None:
    written = repr(view_for(conversation(), Side.BRAND))

    assert "Squeeze" in written
    assert "8.47" in written
    for private in ("9.31", "6.61", "50.00", "Supplier 2", "supplier-2", "9.77", "6.77"):
        assert private not in written


def test_each_side_sees_the_table_from_its_own_place() -> None:
    talk = conversation()
    brand, supplier = view_for(talk, Side.BRAND), view_for(talk, Side.SUPPLIER)

    assert brand.own_offer == supplier.their_offer == talk.brand.standing
    assert brand.their_offer == supplier.own_offer == talk.supplier.standing
    assert [message.seq for message in brand.messages] == [1, 2, 3]
    assert [message.seq for message in supplier.messages] == [2, 3]
    assert (brand.own_messages, supplier.own_messages) == (1, 1)
    assert (brand.moves_left, supplier.moves_left) == (10, 9)
    assert isinstance(brand.utility, Utility)
    assert brand.legal_moves == supplier.legal_moves == tuple(Move)


def test_a_view_says_why_a_draft_was_sent_back_and_when_a_round_is_final() -> None:
    talk = make_conversation(make_config(no_progress_rounds=1))
    stale = said(said(talk, Sender.BRAND), Sender.SUPPLIER)

    assert view_for(talk, Side.BRAND).refused is None
    assert view_for(talk, Side.BRAND, "too dear").refused == "too dear"
    assert [view_for(talk, side).final for side in Side] == [False, False]
    assert [view_for(stale, side).final for side in Side] == [True, True]
