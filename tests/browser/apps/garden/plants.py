"""What grows in the garden."""

PLANT = "fern"
