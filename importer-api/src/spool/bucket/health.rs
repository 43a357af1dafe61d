use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::Bucket;

/// How long who asks waits for the answer of the bucket itself.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// For so long the last good answer counts while the bucket is slow: uploads
/// and imports go on all the same.
const GOOD_FOR: Duration = Duration::from_secs(20);

/// Whether a bucket answers, by what it answered last.
#[derive(Clone, Debug, Default)]
pub(super) struct Health(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    good_at: Option<Instant>,
    is_away: bool,
    is_asked: bool,
}

impl Health {
    /// Asks the bucket, which is asked to the end though nobody waits for that.
    pub(super) async fn ask(&self, bucket: Bucket) -> bool {
        if !std::mem::replace(&mut self.known().is_asked, true) {
            let health = self.clone();
            let asking = tokio::spawn(async move { health.look(&bucket).await });
            if timeout(ANSWER_WITHIN, asking).await.is_ok() {
                return !self.known().is_away;
            }
        }
        let known = self.known();
        !known.is_away && known.good_at.is_some_and(|at| at.elapsed() < GOOD_FOR)
    }

    async fn look(&self, bucket: &Bucket) {
        let checked = bucket.check().await;
        let mut known = self.known();
        known.is_asked = false;
        let was_away = std::mem::replace(&mut known.is_away, checked.is_err());
        match checked {
            Ok(()) => {
                known.good_at = Some(Instant::now());
                if was_away {
                    info!(dependency = "S3", "Dependency is back");
                }
            }
            Err(error) if !was_away => {
                warn!(dependency = "S3", %error, "Dependency is away, waiting for it");
            }
            Err(_) => {}
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
