"""A new kind of term is one file: rules, tactics and tables carry it without knowing its name.

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
    from actors.negotiators.tactics import Tactics
    from storage.mandates import limit_keys
    from storage.records import Negotiation

    supplier = make_supplier(warranty_months={"target": 6, "limit": 30})
    # a new kind is asked of every supplier, so those of the shipped config would be refused
    os.environ["PARLEY_SUPPLIERS"] = f"[{supplier.model_dump_json()}]"
    config = load_config()
    mandate = quote_fields()["mandate"] | {"warranty_months": {"target": 36, "limit": 12}}
    conversation = make_conversation(config, mandate=mandate)
    written = conversation.negotiation.model_dump(mode="json")
    result = rehearse(conversation, Tactics(), Tactics())
    return {
        "limit_keys": limit_keys(),
        "kept_in_json": Negotiation.model_validate(written) == conversation.negotiation,
        "mandate": written["mandate"]["warranty_months"],
        "refusal": result.refusal and str(result.refusal),
        "ending": result.ending and result.ending.model_dump(mode="json"),
        "offers": [e.terms["warranty_months"] for e in result.entries if e.terms],
        "words": [e.content for e in result.entries],
    }


def test_a_new_kind_of_term_is_bargained_over_and_agreed() -> None:
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
    told = json.loads(result.stdout)
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


if __name__ == "__main__":
    print(json.dumps(rehearsed()))
