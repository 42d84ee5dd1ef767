"""A new kind of term is one file: rules, tactics, prompts and tables carry it unnamed.

Kinds are fixed once the records are read in, so the rehearsal runs in a process of its own, which
is this file run as a script.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storage.terms.kind import Scale, Side, TermBrief, TermKind, TermValue

ROOT = Path(__file__).parent.parent


class WarrantyBrief(TermBrief):
    """The months a side wants, and the months where it stops."""

    target: int
    limit: int


class Warranty(TermKind[WarrantyBrief]):
    """The brand wants it long, a supplier short."""

    key: ClassVar[str] = "warranty_months"
    priority: ClassVar[str] = "quality"
    brief_type = WarrantyBrief
    json_schema: ClassVar[Mapping[str, Any]] = {"type": "integer"}

    def read(self, raw: object) -> int:
        if not isinstance(raw, int) or raw < 0:
            raise ValueError("expected whole months, such as 24")
        return raw

    def read_brief(self, raw: object) -> WarrantyBrief:
        return WarrantyBrief.model_validate(raw)

    def write_brief(self, brief: WarrantyBrief) -> dict[str, Any]:
        return brief.model_dump()

    def check_brief(self, brief: WarrantyBrief, side: Side) -> None:
        if not self.allows(brief, brief.target, side):
            raise ValueError(f"the limit {brief.limit} lies beyond the target {brief.target}")

    def limited(self, brief: WarrantyBrief, raw: object) -> WarrantyBrief:
        months = self.read(raw)
        return WarrantyBrief(target=max(brief.target, months), limit=months)

    def allows(self, brief: WarrantyBrief, value: TermValue, side: Side) -> bool:
        months = int(value)
        return months >= brief.limit if side is Side.BRAND else months <= brief.limit

    def candidates(
        self, brief: WarrantyBrief, side: Side, seen: tuple[TermValue, ...]
    ) -> tuple[TermValue, ...]:
        months = {brief.target, brief.limit, *map(int, seen)}
        allowed = [value for value in months if self.allows(brief, value, side)]
        return tuple(sorted(allowed, reverse=side is Side.BRAND))

    def worth(self, brief: WarrantyBrief, value: TermValue, side: Side, scale: Scale) -> float:
        gained = abs(int(value) - brief.limit) if self.allows(brief, value, side) else 0
        available = abs(brief.target - brief.limit)
        return min(1.0, gained / available) * scale.price_range * scale.weight

    def likeness(self, value: TermValue, other: TermValue) -> float:
        return 1.0 if value == other else 0.0

    def words(self, value: TermValue) -> str:
        return f"{value} months"


def rehearsed() -> dict[str, Any]:
    """Two tactics bargain over a warranty too; what came of it, as JSON."""
    from storage.terms import kinds

    kinds.KINDS = (*kinds.KINDS, Warranty())

    from factories import make_conversation, make_supplier, quote_fields
    from rehearsal import rehearse

    from actors.config import load_config
    from actors.mechanism.moves import Draft
    from actors.mechanism.views import view_for
    from actors.negotiators.answers import MOVE, read_move
    from actors.negotiators.prompts import move_prompt, wording_prompt
    from actors.negotiators.tactics import Tactics
    from storage.mandates import limit_keys
    from storage.records import Move, Negotiation
    from storage.terms.offered import Terms

    supplier = make_supplier(warranty_months={"target": 6, "limit": 30})
    # a new kind is asked of every supplier, so those of the shipped config would be refused
    os.environ["PARLEY_SUPPLIERS"] = f"[{supplier.model_dump_json()}]"
    config = load_config()
    mandate = quote_fields()["mandate"] | {"warranty_months": {"target": 36, "limit": 12}}
    conversation = make_conversation(config, mandate=mandate)
    written = conversation.negotiation.model_dump(mode="json")
    result = rehearse(conversation, Tactics(), Tactics())
    view = view_for(result.conversation, Side.BRAND)
    answer = {
        "move": "offer",
        "text": "We offer this.",
        "accepts_seq": None,
        "unit_prices": [{"line": "widget", "price": "6.40"}],
        "lead_time_days": 30,
        "payment": "30/70",
        "warranty_months": 18,
    }
    draft = read_move(json.dumps(answer), "stop")
    assert isinstance(draft, Draft)
    assert isinstance(draft.terms, dict)
    offer = Draft(Move.OFFER, draft.text, Terms.read(draft.terms))
    deciding, wording = move_prompt(view), wording_prompt(view, offer)
    return {
        "schema": MOVE["properties"]["warranty_months"],
        "required": MOVE["required"],
        "terms_read": draft.terms,
        "deciding": [deciding.system, deciding.user],
        "wording": wording.user,
        "limit_keys": limit_keys(),
        "kept_in_json": Negotiation.model_validate(written) == conversation.negotiation,
        "mandate": written["mandate"]["warranty_months"],
        "refusal": result.refusal and str(result.refusal),
        "ending": result.ending and result.ending.model_dump(mode="json"),
        "offers": [e.terms["warranty_months"] for e in result.entries if e.terms],
        "words": [e.content for e in result.entries],
    }


@pytest.fixture(scope="module")
def told() -> Any:
    """What the rehearsal in the other process told."""
    result = subprocess.run(
        [sys.executable, "-W", "error", __file__],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        timeout=60,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_new_kind_of_term_is_bargained_over_and_agreed(told: Any) -> None:
    assert told["refusal"] is None
    assert told["ending"]["status"] == "completed"
    agreed = told["ending"]["agreed_terms"]["warranty_months"]
    assert 12 <= agreed <= 30
    assert told["offers"][-1] == agreed
    assert len(told["offers"]) > 2
    for months, words in zip(told["offers"], told["words"], strict=True):
        assert f"{months} months" in words
    assert told["limit_keys"][-1] == "warranty_months"
    assert told["mandate"] == {"target": 36, "limit": 12}
    assert told["kept_in_json"]


def test_a_model_is_asked_for_a_new_kind_and_its_answer_is_read(told: Any) -> None:
    system, user = told["deciding"]

    assert "`lead_time_days`, `payment`, `warranty_months`" in system
    assert '"warranty_months": {"target": 36, "limit": 12}' in user
    first_offer = next(line for line in user.splitlines() if line.startswith("1 brand: "))
    assert first_offer.endswith("; 36 months")
    assert '"warranty_months": 18' in told["wording"]
    assert told["schema"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert "warranty_months" in told["required"]
    assert told["terms_read"]["warranty_months"] == 18


if __name__ == "__main__":
    print(json.dumps(rehearsed()))
