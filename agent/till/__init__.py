"""The doors by which a till speaks to the agent: it says that it is busy, and asks how its printer is."""
