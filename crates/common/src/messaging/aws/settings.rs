use std::fmt;

use crate::runtime::{Environment, SettingError};

/// Keys of an AWS account that were given by variables.
#[derive(Clone)]
pub struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, for temporary keys.
    pub session_token: Option<String>,
}

/// Secrets are never printed.
impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

impl AwsKeys {
    /// `None` where neither key is set.
    fn read(env: &Environment) -> Result<Option<Self>, SettingError> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        if env.get(ID).is_none() && env.get(SECRET).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            access_key_id: env.required(ID, "a key id, as AWS_SECRET_ACCESS_KEY is set")?,
            secret_access_key: env.required(SECRET, "a key, as AWS_ACCESS_KEY_ID is set")?,
            session_token: env.get("AWS_SESSION_TOKEN").map(str::to_owned),
        }))
    }
}

/// Where AWS is, and who calls it.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// Region.
    pub region: String,
    /// Keys; `None` leaves it to the SDK's own chain.
    pub keys: Option<AwsKeys>,
    /// Endpoint of SQS, where it is not AWS's own.
    pub sqs_endpoint: Option<String>,
}

impl AwsSettings {
    /// Reads `AWS_…` and `SQS_ENDPOINT_URL`.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            region: env.get("AWS_REGION").unwrap_or("us-east-1").to_owned(),
            keys: AwsKeys::read(env)?,
            sqs_endpoint: env.url("SQS_ENDPOINT_URL")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn keys_are_taken_together_and_never_printed() {
        let read = |variables: &[_]| AwsSettings::read(&env(variables));
        let id = ("AWS_ACCESS_KEY_ID", "an-id");
        let secret = ("AWS_SECRET_ACCESS_KEY", "a-secret");
        assert!(read(&[]).unwrap().keys.is_none());
        for half in [id, secret] {
            assert!(read(&[half]).is_err());
        }
        let settings = read(&[id, secret]).unwrap();
        assert!(settings.keys.is_some());
        assert!(!format!("{settings:?}").contains("a-secret"));
    }
}
