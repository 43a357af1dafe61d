//! Calls to what runs on this machine.

/// A client that passes by the proxy of the environment, which cannot reach what this machine has
/// for itself.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap_or_default()
}
