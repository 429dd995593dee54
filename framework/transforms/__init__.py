"""What a contract means for rows: spec → Column, DataFrame → DataFrame; nothing here reads or writes."""
