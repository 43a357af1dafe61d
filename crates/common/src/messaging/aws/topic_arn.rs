use std::fmt;
use std::str::FromStr;

use super::FIFO;

/// The ARN of a standard topic: `arn:partition:sns:region:account:name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicArn(String);

impl TopicArn {
    /// What a variable that holds one takes.
    pub const TAKES: &str = "the ARN of a standard topic, such as arn:aws:sns:us-east-1:000000000000:data-process-topic; \
         a .fifo topic needs a group with each message, which the suite does not give";

    /// The region.
    pub(super) fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }
}

/// Not the ARN of a standard topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {takes}", takes = TopicArn::TAKES)]
pub struct NoTopicArn;

impl FromStr for TopicArn {
    type Err = NoTopicArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split(':').collect();
        match parts[..] {
            ["arn", partition, "sns", region, account, name]
                if [partition, region, account, name]
                    .iter()
                    .all(|part| !part.is_empty())
                    && !name.ends_with(FIFO) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NoTopicArn),
        }
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_a_standard_topic_has_a_region() {
        for (arn, region) in [
            ("arn:aws:sns:sa-east-1:000000000000:t", Some("sa-east-1")),
            (
                "arn:aws-cn:sns:cn-north-1:000000000000:t",
                Some("cn-north-1"),
            ),
            ("arn:aws:sns:sa-east-1:000000000000:t.fifo", None),
            ("arn:aws:sqs:sa-east-1:000000000000:q", None),
            ("arn:aws:sns::000000000000:t", None),
            ("arn:aws:sns:sa-east-1:000000000000:t:5f0c", None),
            ("topic", None),
        ] {
            let parsed = arn.parse::<TopicArn>();
            assert_eq!(parsed.as_ref().ok().map(TopicArn::region), region, "{arn}");
        }
    }
}
