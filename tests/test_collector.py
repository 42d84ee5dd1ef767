"""What Python's garbage collector need not look at can be part of no cycle, so nothing is kept."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import threading
import types
import typing
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pykka
from factories import make_config, make_entry, make_negotiations, make_quote, quote_fields
from msgspec import Struct
from msgspec.structs import fields
from probe import PATIENCE_S, Probe
from pydantic import BaseModel

import actors
import storage
from actors.event_stream import EventStream
from actors.mechanism.conversation import Conversation
from actors.mechanism.rulebook import mandates_in_force
from actors.persistence import Persistence
from actors.runtime import LoopThread
from actors.saves import NegotiationsOpened, OpenNegotiations, SaveFailed, SaveMessage
from actors.system import NegotiationSystem
from storage.ledger import Ledger
from storage.records import Sender

DATA = (str, int, float, bool, type(None), Decimal, datetime)


def structs(of: type[Struct] = Struct) -> Iterator[type[Struct]]:
    """All of ours."""
    for room in (actors, storage):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if module.name != "actors.ipython":  # it starts a shell's configuration
                importlib.import_module(module.name)
    for struct in of.__subclasses__():
        if struct.__module__.partition(".")[0] in ("actors", "storage"):
            yield struct
            yield from structs(struct)


def is_data(kind: Any) -> bool:
    """Whether a value of this type can lead to nothing but data."""
    kind = getattr(kind, "__supertype__", kind)
    inner = [one for one in typing.get_args(kind) if one is not ...]
    if typing.get_origin(kind) is typing.Annotated:
        return is_data(inner[0])
    if inner:
        origin = typing.get_origin(kind)
        is_choice = origin in (typing.Union, types.UnionType)
        return (is_choice or issubclass(origin, tuple | frozenset | Mapping)) and all(
            map(is_data, inner)
        )
    if not isinstance(kind, type):
        return False
    if issubclass(kind, Struct):
        return not kind.__struct_config__.gc
    return issubclass(kind, DATA) or issubclass(kind, BaseModel)


def test_only_what_is_data_alone_is_out_of_the_collectors_sight() -> None:
    unseen = [struct for struct in structs() if not struct.__struct_config__.gc]

    assert len(unseen) > 40
    for struct in unseen:
        for field in fields(struct):
            assert is_data(field.type), f"{struct.__name__}.{field.name}"


def freed(what: Callable[[], Any]) -> bool:
    """Whether nothing keeps what this makes, and then forgets."""
    ref = weakref.ref(what())
    gc.collect()
    return ref() is None


def test_a_system_that_has_stopped_is_kept_by_nobody(tmp_path: Path) -> None:
    def stopped() -> NegotiationSystem:
        with NegotiationSystem.start(make_config(), database=tmp_path / "x.db") as system:
            quote = system.create_quote(quote_fields())
            system.start_negotiations(quote.id)
            system.wait(quote.id, PATIENCE_S)
        return system

    def coordinator() -> object:
        return stopped()._coordinator.actor_inbox

    assert freed(stopped)
    assert freed(coordinator)


def test_a_save_that_was_refused_is_kept_by_nobody(
    tmp_path: Path, events: EventStream, loop: LoopThread
) -> None:
    store, probe = Ledger(tmp_path / "x.db"), Probe(loop)
    persistence: pykka.ActorRef[Any] = Persistence.start(store, events, threading.Event())
    quote = make_quote()
    store.add_quote(quote)
    opening = OpenNegotiations(
        quote_id=quote.id, negotiations=tuple(make_negotiations(quote)), reply_to=probe.ref
    )
    persistence.tell(opening)
    opened = probe.next(NegotiationsOpened)
    conversation = Conversation.opened(opened.quote, opened.negotiations[0])

    def refused() -> Exception:
        mail = SaveMessage(
            entry=make_entry(conversation, Sender.BRAND, seq=7),
            ending=None,
            mandates=mandates_in_force(conversation),
            reply_to=probe.ref,
        )
        persistence.tell(mail)
        error = probe.next(SaveFailed).error
        persistence.tell(mail)
        probe.next(SaveFailed)  # so Persistence is done with the first
        return error

    try:
        assert freed(refused)
    finally:
        persistence.stop(timeout=PATIENCE_S)
