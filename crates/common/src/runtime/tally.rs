//! How often each of several things came in a batch, so that the log has a
//! line for each and not one a row.

use std::collections::BTreeMap;

/// By key, how many items came with it, and the first of them.
pub fn tally<K: Ord, T>(items: impl IntoIterator<Item = (K, T)>) -> BTreeMap<K, (usize, T)> {
    let mut tally = BTreeMap::new();
    for (key, item) in items {
        let (count, _) = tally.entry(key).or_insert((0, item));
        *count += 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_number_and_its_first_item() {
        let tally = tally([("b", 1), ("a", 2), ("b", 3), ("b", 4)]);
        let found: Vec<_> = tally.into_iter().collect();
        assert_eq!(found, [("a", (1, 2)), ("b", (3, 1))]);
    }
}
