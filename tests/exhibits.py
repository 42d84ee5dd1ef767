"""Databases to report on: the sample with a person in it, and one in which all is hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from factories import make_config, make_supplier, quote_fields

from actors.negotiators.scripted import Scripted
from actors.system import NegotiationSystem
from storage.records import QuoteId

HOSTILE = (
    "<script>document.title='owned';alert(1)</script>"
    "\"'><img src=x onerror=\"document.title='owned'\"></p></svg></style></title>"
    '<a href="javascript:alert(1)">x</a>{{ quote.mandate }}{% raw %}&amp;<!-- ]]>'
    "<iframe src=http://127.0.0.1:9/></iframe>\u202egnp.exe\u2066\x1b[2J"
)
"""What a supplier might write to whoever opens the report."""
SHORT = '\u202e</h2><img src=x onerror=alert(1)>{{quote}}"'
GUIDANCE = "Whisper: up to 7771.13 we go."
PRIVATE = (
    *("5137.77", "8371.13", "3471", "2329"),  # the brand's
    *("9837.71", "6193.37", "3137", "1733"),  # the supplier's
    *("8013.31", "801331.00", "837113.00", "619337.00"),  # a changed limit, and totals at limits
    *(GUIDANCE, "7771.13"),
)
"""What may be told to private eyes only; none of it was ever offered."""


def sample(database: Path) -> QuoteId:
    """The sample quote, played to its end; a person speaks to two of the three negotiations."""
    with NegotiationSystem.start(database=database) as system:
        quote = system.create_quote()
        _, second, third = system.start_negotiations(quote.id, automatic=False)
        for _ in range(4):
            system.wait(quote.id, timeout_s=60)
            system.continue_negotiation(quote_id=quote.id)
        system.wait(quote.id, timeout_s=60)
        system.add_user_intervention(
            "Not above 7.20 for the bottle now.",
            negotiation_id=second.id,
            limits={"bottle.unit_price": "7.20"},
        )
        system.add_user_intervention("We could decide this week.", negotiation_id=third.id)
        system.wait(quote.id, timeout_s=60)
        while any(one.status == "active" for one in system.negotiations(quote.id)):
            system.continue_negotiation(quote_id=quote.id)
            system.wait(quote.id, timeout_s=60)
        return quote.id


def offer(price: str, text: str = HOSTILE) -> dict[str, Any]:
    """An offer as a script makes it."""
    terms = {"unit_prices": {"widget": price}, "lead_time_days": 2500, "payment": "30/70"}
    return {"move": "offer", "text": text, "terms": terms}


def hostile(database: Path) -> QuoteId:
    """Two suppliers, the dearer one asked first; every text that can be is hostile."""
    product = f"W{SHORT}"
    first, second = (
        make_supplier(
            number,
            product=product,
            list_price="9837.71",
            floor="6193.37",
            standard=3137,
            shortest=1733,
        ).model_copy(update={"name": f"{number}{SHORT}", "about": HOSTILE})
        for number in (2, 1)
    )
    brand = Scripted(offer("6800.00"), offer("7000.00"), offer("7100.00"), _accept)
    suppliers = {
        second.id: Scripted(offer("7600.00"), offer("7300.00")),
        first.id: Scripted(offer("7900.00"), offer("7500.00")),
    }
    fields = quote_fields(
        target="5137.77", limit="8371.13", lead_target=2329, lead_limit=3471, notes=HOSTILE
    )
    fields["lines"][0] |= {"product": product, "unit": "<b>pcs</b>{{1}}"}
    config = make_config([first, second])
    with NegotiationSystem.start(config, database=database, brand=brand, suppliers=suppliers) as s:
        quote = s.create_quote(fields)
        dearer, _ = s.start_negotiations(quote.id, automatic=False)
        s.wait(quote.id, timeout_s=60)
        s.add_user_intervention(
            f"{GUIDANCE}{HOSTILE}",
            negotiation_id=dearer.id,
            limits={"unit_price": "8013.31"},
            priorities={"quality": 17, "cost": 43, "lead_time": 29, "payment_terms": 11},
        )
        s.wait(quote.id, timeout_s=60)
        while any(one.status == "active" for one in s.negotiations(quote.id)):
            s.continue_negotiation(quote_id=quote.id)
            s.wait(quote.id, timeout_s=60)
        return quote.id


def _accept(view: Any) -> dict[str, Any]:
    return {"move": "accept", "text": "Agreed.", "accepts_seq": view.messages[-1].seq}
