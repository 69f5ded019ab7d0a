"""Many networks at once: the run axis, several processes, and the memory of a device."""
