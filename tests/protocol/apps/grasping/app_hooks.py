"""At the end of a session, its document is wanted once more."""

import logging

log = logging.getLogger("grasping")


async def on_session_destroyed(session_context):
    await session_context.with_locked_document(lambda document: log.info("last look: %d roots", len(document.roots)))
    log.info("let go of %s", session_context.id)
