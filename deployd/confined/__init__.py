"""What root does with folders that a container can write into.

The rule: nothing here follows a path that a container can change. A folder is opened by descriptor, component by
component and never through a link; whole trees are left to coreutils, which walk them by descriptor and can be killed;
Docker is given a mount of root's in the place of a path. The rest of deployd does no file work of its own below such
folders (`tests/unit/test_confined_paths.py` finds who does).
"""
