"""Why is a row as it is: where it came from, what was done to it, what it won against, who uses it?

A row of a table that is mapped has *lives*: every delivered row with its key, also those that lost or were refused. A row of
a table that is gathered or queried is *made of* rows of its inputs. Both are worked out with the functions that a run uses.
"""
