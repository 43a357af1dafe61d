//! SNS over HTTP (AWS Query: a form is answered in XML).

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use http::Response;
use rustack_sns_core::{handler::RustackSnsHandler, provider::RustackSns};
use rustack_sns_http::{
    body::SnsResponseBody,
    dispatch::SnsHandler,
    request::parse_form_params,
    response::{XmlWriter, error_to_response, xml_response},
    router::resolve_operation,
};
use rustack_sns_model::error::{SnsError, SnsErrorCode};
use uuid::Uuid;

use super::{
    publish_form::{Entry, Messages, PublishForm},
    topics::{Publication, Topics},
};

/// The most entries of a batch.
const MAX_ENTRIES: usize = 10;

/// Answers requests to SNS: through [`Topics`] what publishes messages and attributes, through rustack
/// the rest, which is every other operation and what no queue of the pipeline takes: subjects, message
/// groups, binary attributes, a message for each protocol.
#[derive(Debug)]
pub(super) struct TopicApi {
    topics: Arc<Topics>,
    others: RustackSnsHandler,
}

impl TopicApi {
    pub(super) fn new(topics: Arc<Topics>, sns: Arc<RustackSns>) -> Self {
        Self {
            topics,
            others: RustackSnsHandler::new(sns),
        }
    }

    pub(super) async fn answer(&self, body: Bytes) -> Response<SnsResponseBody> {
        let request_id = Uuid::new_v4().to_string();
        let answered = match PublishForm::read(&body) {
            Some(form) => self.publish(form, &request_id).await,
            None => match resolve_operation(&parse_form_params(&body)) {
                Ok(operation) => self.others.handle_operation(operation, body).await,
                Err(error) => Err(error),
            },
        };
        answered.unwrap_or_else(|error| error_to_response(&error, &request_id))
    }

    async fn publish(
        &self,
        form: PublishForm,
        request_id: &str,
    ) -> Result<Response<SnsResponseBody>, SnsError> {
        let topic = &form.topic_arn;
        match form.messages {
            Messages::One(publication) => self.publish_one(topic, publication, request_id).await,
            Messages::Batch(entries) => self.publish_batch(topic, entries, request_id).await,
        }
    }

    async fn publish_one(
        &self,
        topic_arn: &str,
        publication: Publication,
        request_id: &str,
    ) -> Result<Response<SnsResponseBody>, SnsError> {
        if !Publication::fit_one_call([&publication]) {
            return Err(SnsError::invalid_parameter(
                "Invalid parameter: Message too long",
            ));
        }
        let mut xml = XmlWriter::new();
        xml.start_response("Publish");
        xml.start_result("Publish");
        for published in self.topics.publish(topic_arn, [publication]).await? {
            xml.write_element("MessageId", &published?);
        }
        xml.end_element("PublishResult");
        xml.write_response_metadata(request_id);
        xml.end_element("PublishResponse");
        Ok(xml_response(xml.into_string(), request_id))
    }

    async fn publish_batch(
        &self,
        topic_arn: &str,
        entries: Vec<Entry>,
        request_id: &str,
    ) -> Result<Response<SnsResponseBody>, SnsError> {
        check_entries(&entries)?;
        if !Publication::fit_one_call(entries.iter().map(|entry| &entry.publication)) {
            return Ok(batch_too_long(request_id));
        }
        let (ids, publications): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .map(|entry| (entry.id, entry.publication))
            .unzip();
        let outcomes = self.topics.publish(topic_arn, publications).await?;
        let (mut successful, mut failed) = (XmlWriter::new(), XmlWriter::new());
        for (id, outcome) in ids.iter().zip(outcomes) {
            match outcome {
                Ok(message_id) => {
                    successful.raw("<member>");
                    successful.write_element("Id", id);
                    successful.write_element("MessageId", &message_id);
                    successful.raw("</member>");
                }
                Err(error) => {
                    failed.raw("<member>");
                    failed.write_element("Id", id);
                    failed.write_element("Code", error.code.code());
                    failed.write_element("Message", &error.message);
                    failed.write_bool_element("SenderFault", error.code.fault() == "Sender");
                    failed.raw("</member>");
                }
            }
        }
        let mut xml = XmlWriter::new();
        xml.start_response("PublishBatch");
        xml.start_result("PublishBatch");
        for (list, members) in [("Successful", successful), ("Failed", failed)] {
            xml.raw(&format!("<{list}>"));
            xml.raw(&members.into_string());
            xml.end_element(list);
        }
        xml.end_element("PublishBatchResult");
        xml.write_response_metadata(request_id);
        xml.end_element("PublishBatchResponse");
        Ok(xml_response(xml.into_string(), request_id))
    }
}

/// What SNS refuses a batch for as a whole, but for its size.
fn check_entries(entries: &[Entry]) -> Result<(), SnsError> {
    if entries.is_empty() {
        return Err(SnsError::new(
            SnsErrorCode::EmptyBatchRequest,
            "The batch request doesn't contain any entries.",
        ));
    }
    if entries.len() > MAX_ENTRIES {
        return Err(SnsError::new(
            SnsErrorCode::TooManyEntriesInBatchRequest,
            "The batch request contains more entries than permissible.",
        ));
    }
    let mut ids = HashSet::with_capacity(entries.len());
    if entries.iter().all(|entry| ids.insert(&entry.id)) {
        Ok(())
    } else {
        Err(SnsError::new(
            SnsErrorCode::BatchEntryIdsNotDistinct,
            "Two or more batch entries in the request have the same Id.",
        ))
    }
}

/// Written here because rustack does not know the code.
fn batch_too_long(request_id: &str) -> Response<SnsResponseBody> {
    let mut xml = XmlWriter::new();
    xml.raw("<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>");
    xml.write_element("Type", "Sender");
    xml.write_element("Code", "BatchRequestTooLong");
    xml.write_element(
        "Message",
        "The length of all the batch messages put together is more than the limit.",
    );
    xml.raw("</Error>");
    xml.write_element("RequestId", request_id);
    xml.end_element("ErrorResponse");
    let mut response = xml_response(xml.into_string(), request_id);
    *response.status_mut() = http::StatusCode::BAD_REQUEST;
    response
}
