"""The security headers that a proxy adds to every answer, whichever proxy it is."""

from __future__ import annotations

from app_server.deployment.plan.values import Plan


def security_headers(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Names and values, in a fixed order; those of the block `headers.extra` replace ours of the same name."""
    headers = plan.spec.headers
    if not headers.enabled:
        return ()
    found: dict[str, str] = {}
    if plan.tls is not None and plan.tls.hsts:
        from app_server.tls import hsts

        found["Strict-Transport-Security"] = hsts(plan.tls.profile, plan.tls.hsts_subdomains)
    found["X-Content-Type-Options"] = "nosniff"
    found["Referrer-Policy"] = headers.referrer
    origins = plan.spec.embedding.origins if headers.frames == "embedding" else ()
    if headers.frames == "none":
        found["Content-Security-Policy"] = "frame-ancestors 'none'"
        found["X-Frame-Options"] = "DENY"
    elif headers.frames != "any":
        found["Content-Security-Policy"] = " ".join(["frame-ancestors 'self'", *origins])
        if not origins:
            # For browsers from before frame-ancestors; it cannot name other sites.
            found["X-Frame-Options"] = "SAMEORIGIN"
    ours = {name.lower(): name for name in found}
    for name, value in headers.extra.items():
        found.pop(ours.get(name.lower(), ""), None)
        found[name] = value
    return tuple(found.items())
