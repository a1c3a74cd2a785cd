"""What containers use: processors, memory and disk, and what the kernel killed in them.

Read from the kernel when somebody asks; only kills and disks are looked at from time to time."""
