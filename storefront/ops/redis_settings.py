"""What is dangerous in the settings of a Redis that the stock relies on."""

from redis import Redis


def complaints(redis: Redis) -> list[str]:
    """Say what should be set otherwise; nothing where all is well. Raises redis' errors.

    Read from INFO, which managed services allow where they forbid CONFIG.
    """
    memory, persistence = redis.info("memory"), redis.info("persistence")
    found = []
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy.startswith("allkeys"):
        found.append(f"maxmemory-policy is {policy}: Redis may drop counters; set noeviction.")
    if not persistence.get("aof_enabled"):
        found.append("appendonly is off: after each restart the stock is rebuilt and queued jobs are gone.")
    if memory.get("maxmemory") and memory["used_memory"] > 0.9 * memory["maxmemory"]:
        found.append("more than 90 % of maxmemory is used: adding to carts will soon be refused.")
    return found
