"""A headless Chromium (Debian's package `chromium`), driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE_S = 60
QUIET = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-port=0", "--remote-debugging-address=127.0.0.1"),
)
DOMAINS = ("Page", "Runtime", "Log", "Network", "Accessibility", "DOM")
NOISE = (
    *("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"),
    *("Page.javascriptDialogOpening", "Page.windowOpen", "Network.requestWillBeSent"),
)
"""What a page that is calm and needs nothing causes none of, but for the request for itself."""


class Tab:
    """One page of the browser, and all that it has done."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._session: str | None = None
        self._count = 0
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call the browser; what happens meanwhile goes to `events`."""
        self._count += 1
        request = {"id": self._count, "method": method, "params": arguments}
        await self._socket.send_json(
            request | ({"sessionId": self._session} if self._session else {})
        )
        while True:
            answer = await self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer.get('error')}"
                return dict(answer["result"])

    async def open(self) -> None:
        """Open an empty page, and listen to all that it does."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in DOMAINS:
            await self.call(f"{domain}.enable")

    async def show(self, file: Path) -> None:
        """Load a file, named from the root on, and wait until it is there."""
        self.events.clear()
        await self.call("Page.navigate", url=file.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            await self._read()

    async def look(
        self, *, width: int, scheme: str, media: str = "screen", height: int = 900
    ) -> None:
        """Make the page this wide, light or dark, on a screen or on paper."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media=media, features=features)

    async def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression says of the page, as the page's own scripts could not."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def picture(self) -> bytes:
        """What is seen of it, as PNG."""
        taken = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(taken["data"])

    def noise(self) -> list[str]:
        """All that it did and should not have done since it was shown."""
        told = [e for e in self.events if e["method"] in NOISE]
        own = [e for e in told if e["params"].get("type") == "Document"]
        icons = [e for e in told if e["params"].get("request", {}).get("url") == "data:,"]
        return [str(event) for event in told if event not in own[:1] and event not in icons]

    async def _read(self) -> dict[str, Any]:
        read: dict[str, Any] = await self._socket.receive_json(timeout=PATIENCE_S)
        if "method" in read:
            self.events.append(read)
        return read


@asynccontextmanager
async def browser() -> AsyncIterator[Tab]:
    """Start a browser with a fresh profile and one page, and end it."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is missing: apt-get install chromium")
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *(program, *QUIET, *as_root, f"--user-data-dir={profile}", "about:blank"),
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with aiohttp.ClientSession() as session:
                address = await asyncio.wait_for(_address(process), PATIENCE_S)
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    tab = Tab(socket)
                    await tab.open()
                    yield tab
        finally:
            process.terminate()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"ws://127\.0\.0\.1:\S+", line):
            return found[0].decode()
    raise SystemExit("chromium ended before it listened")
