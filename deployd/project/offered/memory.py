"""What services need at least, of those that name no `size`: less, and they do not come up, or are ended by the kernel.
Values only."""

LEAST_MEMORY_MB = {
    # A JVM has some 400 MB of classes, compiled code, threads and buffers beside its heap.
    "elasticsearch": 1536, "elasticsearch-enterprise": 1536, "opensearch": 1536, "solr": 1024, "kafka": 1024,
    # Half of its memory is its cache, and it starts with 256 MB of that.
    "mongodb": 768, "mongodb-enterprise": 768,
    "clickhouse": 1536, "oracle-mysql": 768, "influxdb": 768,
    # A browser with some tabs open; LibreOffice beside it.
    "chrome-headless": 1024, "gotenberg": 1536,
}
