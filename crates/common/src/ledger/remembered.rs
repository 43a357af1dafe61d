use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the ledger has said and never changes, so that it is asked once. It
/// forgets everything when it is full: an entry is cheap to ask for again.
pub(super) struct Remembered<K, V> {
    most: usize,
    entries: Mutex<HashMap<K, V>>,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            entries: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.lock().get(key).cloned()
    }

    pub(super) fn put(&self, key: K, value: V) {
        let mut entries = self.lock();
        if entries.len() >= self.most {
            entries.clear();
        }
        entries.insert(key, value);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> fmt::Debug for Remembered<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_it_may() {
        let remembered = Remembered::new(2);
        for key in 1..=3 {
            remembered.put(key, key * 10);
        }
        assert_eq!(
            [1, 2, 3].map(|key| remembered.get(&key)),
            [None, None, Some(30)]
        );
    }
}
