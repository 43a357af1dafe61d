use std::fmt;
use std::future::Future;

use futures::FutureExt;
use futures::future::BoxFuture;

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
