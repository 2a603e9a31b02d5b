//! PostgreSQL protocol 3.0 bytes to messages and back (PostgreSQL chapter 55); no I/O, no bank.
