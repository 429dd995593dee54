"""What must a catalog hold, so that contracts are kept: grants, owners, comments, tags, masks, row filters?

`wanted` is worked out from contracts alone; `differences` holds it against what the catalog has, and gives steps in an order
that protects before it publishes; `statements` writes a step as SQL, all quoting through `spec/names.py`.
"""
