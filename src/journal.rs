//! The log: one line an event, to standard error, never one a request.

/// Starts logging what is at least as severe as `level`; to be called once, first of all.
pub fn start(level: log::LevelFilter) {
    env_logger::Builder::new()
        .filter_level(level)
        .format_target(false)
        .format_timestamp_millis()
        .init();
}
