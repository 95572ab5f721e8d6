"""The pass-through: owns the shared devices, offers the till a door to each, and lets the daemon ask.

    till ==door==> lane (Junction) ==link==> device
                     ^
    daemon ==seat====+

A supervisor of a few lines holds what the till has open (ttys, listening ports) and forks the worker, which
has one lane for each device. A worker that dies or hangs is replaced within milliseconds.
"""
