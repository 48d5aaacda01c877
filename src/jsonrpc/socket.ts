/** Where stratisd-min listens, and what an exchange over its socket is bounded by (system.md §18.1). */

export const SOCKET = "/run/stratisd/stratisd-min-jsonrpc";

/** Upstream's programs read 65,536 bytes and no more; ours write no request that is longer than a report may be. */
export const MOST_REQUEST_BYTES = 1024 * 1024;
/** The report of thousands of filesystems. */
export const MOST_RESPONSE_BYTES = 64 * 1024 * 1024;
