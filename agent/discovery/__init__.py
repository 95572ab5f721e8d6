"""What is attached to this machine, and why a device of it cannot be seen or held. Nothing is ever opened.

Everything takes `root`, the folder that holds sys, dev, proc, run, etc, usr and var: a machine, or a recorded
one. The daemon loads none of it.
"""
