"""The record of a quote for a report: what `--json` prints, and all that the page is made of.

What may be told is decided here alone. Without `private` it holds no target, limit or priority of
anybody, no supplier's private side, no guidance, and no words in which a negotiator or a rule could
repeat one. It holds no hash either: whoever guesses a text or a limit could prove it by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from actors.mechanism.limits import limits_read
from actors.monitoring.bill import Bill
from actors.monitoring.findings import findings_record
from actors.negotiators.model_settings import Prices
from actors.reading import Reading
from storage.calls import Call
from storage.interventions import Intervention
from storage.mandates import Mandate
from storage.records import Message, Negotiation, Quote, QuoteId, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms

PRIVATE_OF_QUOTE = {"priorities", "mandate"}
PRIVATE_OF_NEGOTIATION = {"mandate"}
PRIVATE_OF_INTERVENTION = {"text", "limits", "priorities"}
NOT_OF_QUOTE = {"brought"}
NOT_OF_NEGOTIATION = {"supplier", "rules", "last_hash", "brief_hash", "row_hash"}
NOT_OF_MESSAGE = {"id", "negotiation_id", "hash"}
NOT_OF_INTERVENTION = {"negotiation_id", "row_hash"}
NOT_OF_CALL = {"quote_id", "negotiation_id"}

REFUSED_TWICE = tuple(f"the {side}'s draft was refused twice: " for side in Side)
"""How a `last_error` begins behind which the name of a rule stands, and nothing else."""
LIMITS_MISTAKE = "limits."
"""How a reason names a limit that can't be read; what it then says may repeat it."""
UNREAD_LIMITS = "its limits can't be read"


def report_record(
    reading: Reading, quote_id: QuoteId, *, private: bool = False, prices: Prices | None = None
) -> dict[str, Any]:
    """Tell a quote with all its negotiations, as of one instant, and what `verify` says of it.

    Names are the columns'; beside them stand `total` (of terms, in the quote's currency), `round`
    (of a message: the supplier's messages so far) and `models` (calls, tokens, costs).

    Raises:
        UnknownRecord: There is no such quote.
        DamagedRow: A row of it can't be read.
    """
    with reading.instant():
        quote = reading.quote(quote_id)
        teller = _Teller(quote, Bill(reading.spending(quote_id), prices), private)
        negotiations = [
            teller.negotiation(
                each,
                reading.messages(each.id),
                reading.interventions(each.id),
                reading.calls(each.id),
            )
            for each in reading.negotiations(quote_id)
        ]
        findings = reading.verify(quote_id)
    return {
        "private": private,
        "quote": teller.quote_record(),
        "negotiations": negotiations,
        "verify": findings_record(findings),
    }


@dataclass(frozen=True, slots=True)
class _Teller:
    """What is told of one quote."""

    quote: Quote
    bill: Bill
    private: bool

    def quote_record(self) -> dict[str, Any]:
        return self.quote.model_dump(
            mode="json", exclude=NOT_OF_QUOTE | self._unless_private(PRIVATE_OF_QUOTE)
        )

    def negotiation(
        self,
        negotiation: Negotiation,
        messages: Sequence[Message],
        interventions: Sequence[Intervention],
        calls: Iterable[Call],
    ) -> dict[str, Any]:
        """In the order of its conversation; for private eyes with the limits by message."""
        hidden = NOT_OF_NEGOTIATION | self._unless_private(PRIVATE_OF_NEGOTIATION)
        supplier = negotiation.supplier if self.private else negotiation.supplier.profile
        record = {
            **negotiation.model_dump(mode="json", exclude=hidden),
            "supplier": supplier.model_dump(mode="json"),
            "last_error": self._error(negotiation.last_error),
            "total": self._total(negotiation.agreed_terms),
            "messages": list(self._messages(messages)),
            "interventions": [self._intervention(one) for one in interventions],
            "calls": [call.model_dump(mode="json", exclude=NOT_OF_CALL) for call in calls],
            **self.bill.record(negotiation.id),
        }
        if self.private:
            record["limit_totals"] = self._limit_totals(negotiation, interventions)
        return record

    def _messages(self, messages: Iterable[Message]) -> Iterable[dict[str, Any]]:
        rounds = 0
        for message in messages:
            rounds += message.sender is Sender.SUPPLIER
            guidance = {"content"} if message.sender is Sender.USER else set()
            hidden = NOT_OF_MESSAGE | self._unless_private(guidance)
            yield {
                **message.model_dump(mode="json", exclude=hidden),
                "round": rounds,
                "total": self._total(message.terms),
            }

    def _intervention(self, one: Intervention) -> dict[str, Any]:
        hidden = NOT_OF_INTERVENTION | self._unless_private(PRIVATE_OF_INTERVENTION)
        record = one.model_dump(mode="json", exclude=hidden)
        if not self.private and LIMITS_MISTAKE in (one.reason or ""):
            record["reason"] = UNREAD_LIMITS
        return record

    def _error(self, error: str | None) -> str | None:
        """Why it is parked; a negotiator's own words may tell what only its side may know."""
        if error is None or self.private or error.startswith(REFUSED_TWICE):
            return error
        return error.partition(": ")[0]

    def _limit_totals(
        self, negotiation: Negotiation, interventions: Iterable[Intervention]
    ) -> dict[str, Any]:
        """What the order costs at each side's price limits, the brand's from which message on."""
        mandate, steps = self.quote.mandate, [(1, self.quote.mandate)]
        taken = [(one.message_seq, one) for one in interventions if one.message_seq is not None]
        for seq, one in sorted(taken, key=lambda pair: pair[0]):
            if one.limits:
                mandate, _ = limits_read(mandate, one.limits, self.quote.request)
                steps.append((seq, mandate))
        supplier = negotiation.supplier.mandate_for(self.quote.lines)
        return {
            "brand": [{"seq": seq, "total": self._at_limits(each)} for seq, each in steps],
            "supplier": [{"seq": 1, "total": self._at_limits(supplier)}],
        }

    def _at_limits(self, mandate: Mandate) -> str | None:
        prices = {line_id: prices.limit for line_id, prices in mandate.prices.items()}
        return self._total(Terms(unit_prices=prices))

    def _total(self, terms: Terms | None) -> str | None:
        """None, too, where terms that another hand has changed lack a line: `verify` tells it."""
        if terms is None or any(line.id not in terms.unit_prices for line in self.quote.lines):
            return None
        return str(self.quote.request.total(terms))

    def _unless_private(self, fields: set[str]) -> set[str]:
        return set() if self.private else fields
