"""What a build or a roll-out tells while it goes on: its steps, each with its time, and what other programs say."""
