use std::path::PathBuf;

use common::messaging::{BucketEncryption, BucketUrl};
use common::runtime::{Environment, SettingError};

/// Most bytes of an upload whose text fits into an object: of 10,000 parts,
/// each of 8 MiB.
const MOST_IN_S3: u64 = 78 << 30;

/// Where the uploads are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpoolSettings {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In a bucket of S3.
    Bucket {
        /// Bucket and prefix.
        url: BucketUrl,
        /// How it is encrypted there.
        encryption: BucketEncryption,
    },
}

impl SpoolSettings {
    /// Reads `SPOOL_URL`, `S3_ENCRYPTION` and `S3_KMS_KEY_ID`, or else
    /// `SPOOL_DIR`, for uploads of up to that many bytes (`MAX_UPLOAD_BYTES`).
    ///
    /// # Errors
    /// When one of them is wrong, both places are named, or uploads may be
    /// larger than S3 takes.
    pub fn read(env: &Environment, max_upload_bytes: u64) -> Result<Self, SettingError> {
        const URL: &str = "SPOOL_URL";
        if env.get(URL).is_none() {
            for name in ["S3_ENCRYPTION", "S3_KMS_KEY_ID"] {
                if env.get(name).is_some() {
                    return Err(SettingError::Alone { name, needs: URL });
                }
            }
            let folder = env.or("SPOOL_DIR", PathBuf::from("data/spool"), "a folder")?;
            return Ok(Self::Folder(folder));
        }
        env.refuse_beside(URL, &["SPOOL_DIR"])?;
        let url = env.required(URL, BucketUrl::TAKES)?;
        if max_upload_bytes > MOST_IN_S3 {
            return Err(SettingError::Wrong {
                name: "MAX_UPLOAD_BYTES",
                held: max_upload_bytes.to_string(),
                takes: format!("at most {MOST_IN_S3} (78 GiB) with SPOOL_URL"),
            });
        }
        let encryption = BucketEncryption::read(env)?;
        Ok(Self::Bucket { url, encryption })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)], max: u64) -> Result<SpoolSettings, String> {
        let variables = variables.iter();
        let env = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        SpoolSettings::read(&env.collect(), max).map_err(|error| error.to_string())
    }

    #[test]
    fn a_spool_is_a_folder_or_a_bucket() {
        let folder = |path: &str| Ok(SpoolSettings::Folder(path.into()));
        assert_eq!(read(&[], 1), folder("data/spool"));
        assert_eq!(read(&[("SPOOL_DIR", "/spool")], u64::MAX), folder("/spool"));
        let url = ("SPOOL_URL", "s3://files/importer/");
        let bucket = |encryption| {
            Ok(SpoolSettings::Bucket {
                url: "s3://files/importer".parse().unwrap(),
                encryption,
            })
        };
        assert_eq!(
            read(&[url], 78 << 30),
            bucket(BucketEncryption::OfTheBucket)
        );
        let kms = ("S3_ENCRYPTION", "aws:kms");
        assert_eq!(read(&[url, kms], 1), bucket(BucketEncryption::Kms(None)));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let url = ("SPOOL_URL", "s3://files");
        for (variables, max, told) in [
            (
                &[url, ("SPOOL_DIR", "/spool")][..],
                1,
                "SPOOL_URL and SPOOL_DIR are both set",
            ),
            (&[("SPOOL_URL", "files")], 1, "s3://my-bucket/importer"),
            (
                &[url],
                (78 << 30) + 1,
                "83751862272 (78 GiB) with SPOOL_URL",
            ),
            (
                &[("S3_ENCRYPTION", "AES256")],
                1,
                "S3_ENCRYPTION is set, and takes effect only with SPOOL_URL",
            ),
            (
                &[url, ("S3_KMS_KEY_ID", "k")],
                1,
                "only with S3_ENCRYPTION=aws:kms",
            ),
        ] {
            let error = read(variables, max).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
