"""What waits to be saved, in the order in which Persistence saves it."""

from __future__ import annotations

from collections import Counter, deque

from actors.saves import Ref, Save, SaveCancellation, SaveContinuing, SaveGuidance, SaveRefusals

AskedByPersons = SaveGuidance | SaveRefusals | SaveContinuing | SaveCancellation


class SaveQueue:
    """First in, first out, but what a person waits for goes before what others say to each other.

    What one sender sends stays in order. A negotiation sends all of its own mail, so nothing of it
    overtakes its messages, and what it loads comes after all that it sent before.
    """

    def __init__(self) -> None:
        self._persons: deque[Save] = deque()
        self._others: deque[Save] = deque()
        self._senders: Counter[Ref] = Counter()
        """Of the others: how many pieces of mail each has among them."""

    def __len__(self) -> int:
        return len(self._persons) + len(self._others)

    def put(self, mail: Save) -> None:
        """Add what was sent last."""
        if isinstance(mail, AskedByPersons) and mail.reply_to not in self._senders:
            self._persons.append(mail)
        else:
            self._others.append(mail)
            self._senders[mail.reply_to] += 1

    def take(self, most: int) -> list[Save]:
        """What is saved next, at most so many."""
        return [self._next() for _ in range(min(most, len(self)))]

    def _next(self) -> Save:
        if self._persons:
            return self._persons.popleft()
        mail = self._others.popleft()
        self._senders[mail.reply_to] -= 1
        if not self._senders[mail.reply_to]:
            del self._senders[mail.reply_to]  # it may end, and must not be kept
        return mail
