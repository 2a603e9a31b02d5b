//! The ledger: which operations leave together, and whose answer is whose; no I/O, no clock.
