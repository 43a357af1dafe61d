//! Tells SQS requests from SNS requests on the one port.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time;

use super::{queue_api::QueueApi, topic_api::TopicApi};

/// SQS speaks AWS JSON, which names the operation in this header; SNS speaks AWS Query.
const JSON_TARGET: &str = "x-amz-target";

/// Both services behind one port. Neither checks a signature: tests have made-up credentials.
#[derive(Debug, Clone)]
pub(super) struct Router {
    queues: Arc<QueueApi>,
    topics: Arc<TopicApi>,
    /// How much later each answer comes, as over a network.
    latency: Duration,
}

impl Router {
    pub(super) fn new(queues: QueueApi, topics: TopicApi, latency: Duration) -> Self {
        Self {
            queues: Arc::new(queues),
            topics: Arc::new(topics),
            latency,
        }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            // The client went away, or broke off; nobody reads this.
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return response;
        };
        let body = body.to_bytes();
        let response = match head.headers.get(JSON_TARGET) {
            Some(target) => self.queues.answer(target, &body).await,
            None => self.topics.answer(&body),
        };
        if !self.latency.is_zero() {
            time::sleep(self.latency).await;
        }
        response
    }
}
