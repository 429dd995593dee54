"""Does what a contract says make sense, and what follows from it? One contract at a time, knowing the outlines of others."""
