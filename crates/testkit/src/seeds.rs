//! Tests that draw what happens from a seed.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Checks the seeds from 0 on, or the one that the variable `SEED` names; tells whether it was all.
///
/// # Panics
///
/// At the first seed whose check fails, with what it said and how to check that seed alone.
#[expect(clippy::disallowed_methods, reason = "no service reads it")]
pub fn for_each_seed(count: u64, check: impl Fn(u64)) -> bool {
    let seeds = match env::var("SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..count,
    };
    let is_all = seeds == (0..count);
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            let test = thread::current().name().unwrap_or_default().to_owned();
            panic!(
                "seed {seed}: {}\nthis seed alone: SEED={seed} cargo nextest run --workspace -E 'test(={test})'",
                said.unwrap_or("failed"),
            );
        }
    }
    is_all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "seed 3: too many\nthis seed alone: SEED=3 cargo nextest run")]
    fn the_seed_that_fails_is_named() {
        for_each_seed(10, |seed| assert!(seed < 3, "too many"));
    }
}
