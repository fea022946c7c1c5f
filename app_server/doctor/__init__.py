"""The doctor: walks a running deployment from outside, as a browser would, and says what is wrong with it and where.

    address -> probes (which gather Evidence) -> rules (Evidence to Findings) -> report

Probes do all that touches the network and judge nothing; rules are pure functions and see nothing but the evidence.
"""
