//! Answers that come later, as over a network.

use std::{pin::Pin, time::Duration};

use futures::future::Either;
use http::Request;
use hyper::{body::Incoming, service::Service};
use tokio::time;

/// A service whose answers each come later by the same time. Only the connection that waits for
/// the answer is held up.
#[derive(Clone)]
pub(super) struct Late<S> {
    service: S,
    latency: Duration,
}

impl<S> Late<S> {
    pub(super) fn new(service: S, latency: Duration) -> Self {
        Self { service, latency }
    }
}

impl<S> Service<Request<Incoming>> for Late<S>
where
    S: Service<Request<Incoming>>,
    S::Future: Send + 'static,
    S::Response: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = AnswerOf<S>> + Send>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.service.call(request);
        let latency = self.latency;
        // Without latency there is no allocation and no timer a request.
        if latency.is_zero() {
            return Either::Left(answer);
        }
        Either::Right(Box::pin(async move {
            let answer = answer.await;
            time::sleep(latency).await;
            answer
        }))
    }
}

type AnswerOf<S> =
    Result<<S as Service<Request<Incoming>>>::Response, <S as Service<Request<Incoming>>>::Error>;
