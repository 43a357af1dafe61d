use tracing_subscriber::EnvFilter;

use super::log_format::WithIds;
use crate::ledger::CLIENT_LOG_DIRECTIVES;
use crate::messaging::SDK_LOG_DIRECTIVES;

/// Starts logging to standard output: JSON, one object a line, the fields of
/// an event beside its `message`, and the ids of the span in which it happened.
/// `filter` is a level or a tracing filter
/// that was checked when the settings were read; a second call in one process
/// changes nothing.
pub(super) fn init_telemetry(filter: &str) {
    // What `filter` says of a target comes later, and counts.
    let filter = format!("{SDK_LOG_DIRECTIVES},{CLIENT_LOG_DIRECTIVES},{filter}");
    let filter = filter.parse().unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails only where a subscriber is set already, as tests do.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .map_event_format(WithIds)
        .with_env_filter(filter)
        .try_init();
}
