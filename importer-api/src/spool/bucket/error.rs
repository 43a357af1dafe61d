use std::io;

use object_store::path::Path;
use thiserror::Error;

/// Why a bucket cannot be used: what happened, and what to do about it.
#[derive(Debug, Error)]
pub enum BucketError {
    /// There is no such bucket.
    #[error("the bucket of {bucket} does not exist; make it, or name another in SPOOL_URL")]
    NoBucket {
        /// Its URL.
        bucket: String,
    },
    /// The caller may not do that.
    #[error(
        "{bucket} refuses to {what} {path}: {says}; the credentials need s3:PutObject, s3:GetObject, \
         s3:DeleteObject and s3:AbortMultipartUpload on its objects, s3:ListBucket on the bucket, \
         and the use of its KMS key"
    )]
    Denied {
        /// Its URL.
        bucket: String,
        /// What was tried.
        what: &'static str,
        /// With which object.
        path: String,
        /// The words of the server.
        says: String,
    },
    /// The caller is not known.
    #[error(
        "{bucket} does not take the credentials: {says}; check the AWS_… variables, profile or role"
    )]
    Credentials {
        /// Its URL.
        bucket: String,
        /// The words of the server, or of the chain of credentials.
        says: String,
    },
    /// The bucket is in another region.
    #[error("{bucket} is in another region: {says}; set AWS_REGION to the region of the bucket")]
    Region {
        /// Its URL.
        bucket: String,
        /// The words of the server.
        says: String,
    },
    /// The clocks differ.
    #[error("{bucket} has another time than this machine: {says}; set the clock")]
    Clock {
        /// Its URL.
        bucket: String,
        /// The words of the server.
        says: String,
    },
    /// The object has another content.
    #[error("{bucket} has another {path} already, though each import has a number of its own")]
    Other {
        /// Its URL.
        bucket: String,
        /// The object.
        path: String,
    },
    /// An upload has more parts than an object may have.
    #[error("{path} has more than 10,000 parts of 8 MiB, which {bucket} does not take")]
    TooLarge {
        /// Its URL.
        bucket: String,
        /// The object.
        path: String,
    },
    /// What it gave is no manifest.
    #[error("{bucket} gave something else for {path} than was written; it is asked again")]
    NoManifest {
        /// Its URL.
        bucket: String,
        /// The object.
        path: String,
    },
    /// It does not answer, or has a fault.
    #[error("{bucket} cannot {what} {path}: {says}")]
    Unavailable {
        /// Its URL.
        bucket: String,
        /// What was tried.
        what: &'static str,
        /// With which object.
        path: String,
        /// The words of the server, or what went wrong on the way.
        says: String,
    },
}

/// An error of a store, as ours: of kind `NotFound` where S3 says that the
/// object, or the upload, is not there. A mere 404 is often the word of
/// something before it that cannot reach it.
pub(super) fn told(
    bucket: &str,
    what: &'static str,
    path: &Path,
    error: &object_store::Error,
) -> io::Error {
    use object_store::Error as Of;

    let bucket = bucket.to_owned();
    let path = path.to_string();
    let text = error.to_string();
    let code = element(&text, "Code").unwrap_or_default();
    let says = says(&text, code);
    io::Error::other(match (code, error) {
        ("NoSuchBucket", _) => BucketError::NoBucket { bucket },
        ("NoSuchKey" | "NoSuchUpload", _) => {
            return io::Error::new(io::ErrorKind::NotFound, format!("{bucket} has no {path}"));
        }
        (
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
            _,
        ) => BucketError::Region { bucket, says },
        ("RequestTimeTooSkewed", _) => BucketError::Clock { bucket, says },
        (
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "InvalidClientTokenId",
            _,
        )
        | (_, Of::Unauthenticated { .. }) => BucketError::Credentials { bucket, says },
        (_, Of::PermissionDenied { .. }) => BucketError::Denied {
            bucket,
            what,
            path,
            says,
        },
        _ if text.contains("redirect without LOCATION") => BucketError::Region { bucket, says },
        _ => BucketError::Unavailable {
            bucket,
            what,
            path,
            says,
        },
    })
}

/// Whether the same may go well in a moment.
pub(super) fn may_pass(error: &io::Error) -> bool {
    let error = error.get_ref();
    let error = error.and_then(|error| error.downcast_ref::<BucketError>());
    matches!(
        error,
        Some(BucketError::Unavailable { .. } | BucketError::Credentials { .. })
    )
}

/// Code and message of a server's answer, without the rest of it, which for a
/// wrong signature holds what was signed.
fn says(text: &str, code: &str) -> String {
    if code.is_empty() {
        return text.split("<?xml").next().unwrap_or(text).trim().to_owned();
    }
    match element(text, "Message") {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    }
}

/// The text of the first element of that name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner)
}

#[cfg(test)]
mod tests {
    use object_store::Error as Of;

    use super::*;

    fn tell(error: &Of) -> io::Error {
        told("s3://files/a", "write", &Path::from("a/x.csv"), error)
    }

    fn answer(code: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>why</Message>\
             <StringToSign>hidden</StringToSign></Error>"
        )
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (code, told) in [
            ("NoSuchBucket", "make it"),
            ("AccessDenied", "s3:PutObject"),
            (
                "KMS.DisabledException",
                "s3://files/a cannot write a/x.csv: KMS",
            ),
            ("ExpiredToken", "check the AWS_"),
            ("SignatureDoesNotMatch", "check the AWS_"),
            ("AuthorizationHeaderMalformed", "AWS_REGION"),
            ("RequestTimeTooSkewed", "set the clock"),
            ("SlowDown", "cannot write a/x.csv: SlowDown: why"),
        ] {
            let source = answer(code).into();
            let path = String::new();
            let error = if code == "AccessDenied" || code == "RequestTimeTooSkewed" {
                Of::PermissionDenied { path, source }
            } else {
                Of::Generic {
                    store: "S3",
                    source,
                }
            };
            let error = tell(&error);
            let text = error.to_string();
            assert_eq!(error.kind(), io::ErrorKind::Other);
            assert!(
                text.contains(told) && text.contains("s3://files/a"),
                "{text}"
            );
            assert!(!text.contains("hidden"), "{text}");
        }
    }

    #[test]
    fn a_missing_object_is_not_found_and_a_missing_bucket_is_not() {
        let missing = |code| Of::NotFound {
            path: String::new(),
            source: answer(code).into(),
        };
        assert_eq!(tell(&missing("NoSuchKey")).kind(), io::ErrorKind::NotFound);
        assert_eq!(tell(&missing("NoSuchBucket")).kind(), io::ErrorKind::Other);
        let of_a_proxy = Of::NotFound {
            path: String::new(),
            source: "<html>404 Not Found</html>".into(),
        };
        assert_eq!(tell(&of_a_proxy).kind(), io::ErrorKind::Other);
    }
}
