use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use crate::runtime::{Environment, SettingError, wrong};

/// How S3 encrypts what is written to a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BucketEncryption {
    /// As the bucket says.
    #[default]
    OfTheBucket,
    /// With keys of S3.
    Aes256,
    /// With a key of KMS: this one, or AWS's own for S3.
    Kms(Option<String>),
}

impl BucketEncryption {
    /// Reads `S3_ENCRYPTION` and `S3_KMS_KEY_ID`.
    ///
    /// # Errors
    /// When one of them is wrong, or the key has no use.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        const NAME: &str = "S3_ENCRYPTION";
        const KEY: &str = "S3_KMS_KEY_ID";
        let key = env.get(KEY).map(str::to_owned);
        let encryption = match env.get(NAME) {
            None => Self::OfTheBucket,
            Some("AES256") => Self::Aes256,
            Some("aws:kms") => return Ok(Self::Kms(key)),
            Some(held) => return Err(wrong(NAME, held, "AES256 or aws:kms")),
        };
        match key {
            None => Ok(encryption),
            Some(_) => Err(SettingError::Alone {
                name: KEY,
                needs: "S3_ENCRYPTION=aws:kms",
            }),
        }
    }

    pub(super) fn of(&self, builder: AmazonS3Builder) -> object_store::Result<AmazonS3Builder> {
        let kind = || "aws_server_side_encryption".parse::<AmazonS3ConfigKey>();
        Ok(match self {
            Self::OfTheBucket => builder,
            Self::Aes256 => builder.with_config(kind()?, "AES256"),
            Self::Kms(None) => builder.with_config(kind()?, "aws:kms"),
            Self::Kms(Some(key)) => builder.with_sse_kms_encryption(key),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_with_kms_alone() {
        let read = |variables: &[(&str, &str)]| {
            let variables = variables.iter();
            let env = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            BucketEncryption::read(&env.collect())
        };
        let kms = ("S3_ENCRYPTION", "aws:kms");
        let key = ("S3_KMS_KEY_ID", "alias/files");
        assert_eq!(read(&[]), Ok(BucketEncryption::OfTheBucket));
        let aes = ("S3_ENCRYPTION", "AES256");
        assert_eq!(read(&[aes]), Ok(BucketEncryption::Aes256));
        assert_eq!(read(&[kms]), Ok(BucketEncryption::Kms(None)));
        let with_key = Ok(BucketEncryption::Kms(Some("alias/files".to_owned())));
        assert_eq!(read(&[kms, key]), with_key);
        for wrong in [&[key][..], &[aes, key]] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("only with S3_ENCRYPTION=aws:kms"), "{error}");
        }
        let error = read(&[("S3_ENCRYPTION", "kms")]).unwrap_err().to_string();
        assert!(error.ends_with("it takes AES256 or aws:kms"), "{error}");
    }
}
