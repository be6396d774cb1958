"""Everything that talks to a teacher or judge: client, cache, budget, rate limit, structured replies, servers."""
