"""Housekeeping: what nobody needs any more goes, by age and by free space.

    look.py  what there is, and who needs it ──► things.py  what goes, and why ──► remove.py  each kind in its own way

A round sees a thing without a need, writes down when it saw it first, and takes it away when its time of grace is over.
Only what carries our label or lies in our state directory is looked at. The entry point is `Collector`.
"""
