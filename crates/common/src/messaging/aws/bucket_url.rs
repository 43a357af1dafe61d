use std::fmt;
use std::str::FromStr;

/// The place of files in S3: `s3://bucket`, or `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    bucket: String,
    prefix: String,
}

impl BucketUrl {
    /// What a variable that holds one takes.
    pub const TAKES: &str = "the URL of a bucket with or without a prefix, such as s3://my-bucket/importer: \
         the bucket's name has 3 to 63 lower-case letters, digits and the signs -._, \
         a prefix has letters, digits and the signs -_./ and no empty step";

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What the keys of all objects begin with; empty, or without a slash at
    /// either end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Not the URL of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {takes}", takes = BucketUrl::TAKES)]
pub struct NoBucketUrl;

impl FromStr for BucketUrl {
    type Err = NoBucketUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = text.strip_prefix("s3://").ok_or(NoBucketUrl)?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if is_bucket(bucket) && (prefix.is_empty() || prefix.split('/').all(is_step)) {
            Ok(Self {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
            })
        } else {
            Err(NoBucketUrl)
        }
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>,
/// and those of servers that are like S3, which take an underscore.
fn is_bucket(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !name.contains("..")
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(byte))
}

/// The signs that no program on the way encodes or takes for something else.
fn is_step(step: &str) -> bool {
    !matches!(step, "" | "." | "..")
        && step
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_prefix_or_none() {
        for (text, shown, bucket, prefix) in [
            ("s3://files", "s3://files", "files", ""),
            ("s3://files/", "s3://files", "files", ""),
            ("s3://files/a", "s3://files/a", "files", "a"),
            (
                "s3://my.files-2/a/b_c.D/",
                "s3://my.files-2/a/b_c.D",
                "my.files-2",
                "a/b_c.D",
            ),
        ] {
            let url: BucketUrl = text.parse().unwrap();
            assert_eq!((url.bucket(), url.prefix()), (bucket, prefix));
            assert_eq!(url.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for text in [
            "",
            "files",
            "s3:files",
            "https://files.s3.amazonaws.com/a",
            "s3://",
            "s3://ab",
            "s3://Files",
            "s3://-files",
            "s3://files..x",
            "s3://user@files",
            "s3://files:443/a",
            "s3://files//a",
            "s3://files/a//b",
            "s3://files/a//",
            "s3://files/../b",
            "s3://files/{id}",
            "s3://files/a?b=c",
            "s3://files/a#b",
            "s3://files/ação",
            "s3://files?region=x",
        ] {
            assert_eq!(text.parse::<BucketUrl>(), Err(NoBucketUrl), "{text}");
        }
    }
}
