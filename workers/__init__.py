"""RQ jobs and the clock that enqueues them."""
