// The tree over libfuse3.
