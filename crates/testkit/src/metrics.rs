//! Reading metrics as Prometheus does.

/// The value of a metric in the text format; panics if it is not there.
pub fn sample(metrics: &str, name: &str) -> u64 {
    metrics
        .lines()
        .filter(|line| line.starts_with(name) && line[name.len()..].starts_with('{'))
        .find_map(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no metric {name} in:\n{metrics}"))
}
