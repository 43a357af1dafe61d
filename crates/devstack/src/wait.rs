//! Waiting by looking: until something is so, or for as long as something moves.

use std::{
    fmt::{Debug, Display},
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::time::{self, Instant};

/// Asks once an interval until there is an answer. An error that names `what` if there is none in
/// time, or the error of `ask`.
pub(crate) async fn until<T>(
    what: impl Display,
    within: Duration,
    interval: Duration,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("waited {} s in vain for {what}", within.as_secs());
        }
        time::sleep(interval).await;
    }
}

/// How a watch ended, with what was seen last.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Watched<T> {
    /// It is at its end.
    Over(T),
    /// Nothing has moved for that long.
    Stuck(T, Duration),
}

impl<T: Debug> Watched<T> {
    /// What was seen last; an error if that is not the end.
    pub(crate) fn over(self) -> Result<T> {
        match self {
            Self::Over(last) => Ok(last),
            Self::Stuck(last, time) => bail!("no progress for {} s; {last:?}", time.as_secs()),
        }
    }

    /// What was seen last.
    pub(crate) fn last(self) -> T {
        match self {
            Self::Over(last) | Self::Stuck(last, _) => last,
        }
    }
}

/// Looks once an interval until what is seen is the end, or has been the same for longer than
/// `patience`. `look` says whether it is the end.
pub(crate) async fn watch<T: PartialEq>(
    interval: Duration,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<(T, bool)>,
) -> Result<Watched<T>> {
    let mut last = None;
    let mut moved = Instant::now();
    loop {
        let (seen, over) = look().await?;
        if over {
            return Ok(Watched::Over(seen));
        }
        if last.as_ref() != Some(&seen) {
            (last, moved) = (Some(seen), Instant::now());
        } else if moved.elapsed() > patience {
            return Ok(Watched::Stuck(seen, patience));
        }
        time::sleep(interval).await;
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(10);

    /// What each look sees, the last of them again and again; none is the end.
    async fn watched(seen: &[u32], end: u32) -> Watched<u32> {
        let mut looks = 0;
        let look = async || {
            let now = seen[looks.min(seen.len() - 1)];
            looks += 1;
            Ok((now, now == end))
        };
        watch(INTERVAL, PATIENCE, look).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_lasts_for_as_long_as_something_moves() {
        let started = Instant::now();
        let slow: Vec<u32> = (0..50).flat_map(|step| [step; 9]).collect();
        assert_eq!(watched(&slow, 49).await, Watched::Over(49));
        assert!(started.elapsed() > 40 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_ends_when_nothing_has_moved_for_too_long() {
        let started = Instant::now();
        let stuck = watched(&[1, 2, 3], 4).await;
        assert_eq!(stuck, Watched::Stuck(3, PATIENCE));
        // Seen after 2 s, and for more than 10 s.
        assert_eq!(started.elapsed(), Duration::from_secs(13));
        let error = stuck.over().unwrap_err().to_string();
        assert_eq!(error, "no progress for 10 s; 3");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_named() {
        let mut looks = 0;
        let third = async || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        };
        assert_eq!(until("it", PATIENCE, INTERVAL, third).await.unwrap(), 3);

        let never = until("Godot", PATIENCE, INTERVAL, async || Ok(None::<()>));
        let error = never.await.unwrap_err().to_string();
        assert_eq!(error, "waited 10 s in vain for Godot");

        let refuse = async || Err::<Option<()>, _>(anyhow!("refused"));
        let failed = until("it", PATIENCE, INTERVAL, refuse);
        assert_eq!(failed.await.unwrap_err().to_string(), "refused");
    }
}
