"""Made-up histories of a warehouse, held against tables made from scratch."""
