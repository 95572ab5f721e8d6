"""A till program, simulated: it says that it is busy, prints receipts, and knows nothing of the agent."""
