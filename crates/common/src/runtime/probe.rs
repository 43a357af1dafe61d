use std::fmt;
use std::future::Future;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::Dependency;

/// What `GET /ready` says of a dependency that answers, and does not do what
/// it is asked: a key that is disabled, a limit, a permission that is missing.
const WAITED_FOR: &str = "it answers, and calls wait for it; the log says why";

/// One call of it asks once.
type Probe = Box<dyn Fn() -> BoxFuture<'static, Answer> + Send + Sync>;

/// Whether a dependency answers, and why it does not, where that is known.
pub(crate) type Answer = Result<(), Option<String>>;

/// Asks one dependency whether it answers.
pub struct ReadyProbe(Probe);

impl fmt::Debug for ReadyProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyProbe").finish_non_exhaustive()
    }
}

impl ReadyProbe {
    /// Asks a clone of `dependency` each time.
    pub fn new<D, F>(dependency: &D, ask: impl Fn(D) -> F + Send + Sync + 'static) -> Self
    where
        D: Clone + Send + Sync + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        Self::explained(dependency, move |dependency| {
            let asking = ask(dependency);
            async move { asking.await.then_some(()).ok_or(None) }
        })
    }

    /// The same; a dependency that calls wait for counts as one that does not
    /// answer, whatever it answers when it is asked.
    pub fn unless_waited_for<D, F>(
        dependency: &D,
        ask: impl Fn(D) -> F + Send + Sync + 'static,
    ) -> Self
    where
        D: Dependency + Clone + Send + Sync + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        Self::explained(dependency, move |dependency| {
            let outage = dependency.outage().clone();
            let asking = ask(dependency);
            async move {
                match (asking.await, outage.is_away()) {
                    (false, _) => Err(None),
                    (true, true) => Err(Some(WAITED_FOR.to_owned())),
                    (true, false) => Ok(()),
                }
            }
        })
    }

    /// The same where it is known why it does not answer: the answer to
    /// `GET /ready` says it, so it holds no personal data.
    pub fn explained<D, F>(dependency: &D, ask: impl Fn(D) -> F + Send + Sync + 'static) -> Self
    where
        D: Clone + Send + Sync + 'static,
        F: Future<Output = Result<(), Option<String>>> + Send + 'static,
    {
        let dependency = dependency.clone();
        Self(Box::new(move || ask(dependency.clone()).boxed()))
    }

    /// Whether the dependency answers, or why not, where that is known.
    pub(crate) async fn ask(&self) -> Answer {
        (self.0)().await
    }
}
