//! HTTP/1.1 bytes to requests and responses to bytes (RFC 9110, RFC 9112); no I/O, no bank.
