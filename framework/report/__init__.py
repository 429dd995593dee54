"""What did a run do, for people: one page that says what arrived, what was refused and why, and what may be used."""
