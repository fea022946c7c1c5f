"""A chat whose answer is written while it is made, word by word; others are answered meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import panel as pn

pn.extension()


async def answer(message: str, user: str, chat: pn.chat.ChatInterface) -> AsyncIterator[str]:
    """The answer as far as it is known; a model that streams its tokens is asked here."""
    said = ""
    for word in ["You", "said:", *message.split()]:
        said = f"{said} {word}".strip()
        yield said
        await asyncio.sleep(0.1)


chat = pn.chat.ChatInterface(callback=answer, callback_user="Echo", show_rerun=False, show_undo=False)
chat.send("Say something.", user="Echo", respond=False)
chat.servable(title="Chat")
