//! Tells SQS requests from SNS requests on the one port.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body_util::Either;
use hyper::{body::Incoming, service::Service};
use rustack_sns_core::{handler::RustackSnsHandler, provider::RustackSns};
use rustack_sns_http::{
    body::SnsResponseBody,
    service::{SnsHttpConfig, SnsHttpService},
};
use rustack_sqs_core::{handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::{
    body::SqsResponseBody,
    service::{SqsHttpConfig, SqsHttpService},
};

/// SQS speaks AWS JSON, which names the operation in this header; SNS speaks AWS Query.
const JSON_TARGET: &str = "x-amz-target";

type SqsService = SqsHttpService<RustackSqsHandler>;
type SnsService = SnsHttpService<RustackSnsHandler>;

/// The HTTP service of one connection.
#[derive(Clone)]
pub(super) struct Router {
    sqs: SqsService,
    sns: SnsService,
}

impl Router {
    pub(super) fn new(sqs: &Arc<RustackSqs>, sns: &Arc<RustackSns>) -> Self {
        // The defaults accept any signature: tests have made-up credentials.
        Self {
            sqs: SqsHttpService::new(
                Arc::new(RustackSqsHandler::new(Arc::clone(sqs))),
                SqsHttpConfig::default(),
            ),
            sns: SnsHttpService::new(
                Arc::new(RustackSnsHandler::new(Arc::clone(sns))),
                SnsHttpConfig::default(),
            ),
        }
    }
}

impl Service<Request<Incoming>> for Router {
    type Response = Response<Either<SqsResponseBody, SnsResponseBody>>;
    type Error = Infallible;
    type Future = Routed;

    fn call(&self, request: Request<Incoming>) -> Routed {
        if request.headers().contains_key(JSON_TARGET) {
            Routed::Sqs(self.sqs.call(request))
        } else {
            Routed::Sns(self.sns.call(request))
        }
    }
}

/// The answer under way; a type of its own spares one allocation a request.
pub(super) enum Routed {
    Sqs(<SqsService as Service<Request<Incoming>>>::Future),
    Sns(<SnsService as Service<Request<Incoming>>>::Future),
}

impl Future for Routed {
    type Output = Result<<Router as Service<Request<Incoming>>>::Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Sqs(answer) => answer
                .as_mut()
                .poll(context)
                .map_ok(|response| response.map(Either::Left)),
            Self::Sns(answer) => answer
                .as_mut()
                .poll(context)
                .map_ok(|response| response.map(Either::Right)),
        }
    }
}
