use crate::emulator::REGION;

/// The variables that are the same for every service on the SQS and SNS of that endpoint. Where the
/// ledger is, its server says.
pub fn shared_environment(endpoint: &str) -> [(&'static str, String); 7] {
    [
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("SQS_ENDPOINT_URL", endpoint.to_owned()),
        ("SNS_ENDPOINT_URL", endpoint.to_owned()),
        // All of it is on this machine, which the proxy of a company cannot reach.
        ("NO_PROXY", "127.0.0.1".to_owned()),
        ("no_proxy", "127.0.0.1".to_owned()),
    ]
}

/// The variables of a ledger in the Redis of that port on this machine.
pub fn redis_environment(port: u16) -> [(&'static str, String); 3] {
    [
        ("REDIS_HOST", "127.0.0.1".to_owned()),
        ("REDIS_PORT", port.to_string()),
        ("REDIS_DB", "0".to_owned()),
    ]
}
