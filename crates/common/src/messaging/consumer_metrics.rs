use prometheus::IntCounter;

crate::metrics! {
    /// Counters of a consumer.
    pub struct ConsumerMetrics {
        /// Messages received from SQS; one that comes again counts again.
        pub(super) received: IntCounter = "sqs_consumer_messages_received_total",
        /// Messages that SQS deleted for us.
        pub(super) deleted: IntCounter = "sqs_consumer_messages_deleted_total",
        /// Messages whose outcome was recorded.
        pub(super) processed: IntCounter = "messages_processed_successfully_total",
        /// Messages whose handling failed; each comes back to be tried again.
        pub(super) errors: IntCounter = "messages_processed_errors_total",
        /// Messages put off: SQS took a copy that comes later.
        pub(super) put_off: IntCounter = "messages_put_off_total",
    }
}
