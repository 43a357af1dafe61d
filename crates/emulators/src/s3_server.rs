//! S3 inside this process, over HTTP on one port: `s3s` with the files of `s3s-fs`.
//!
//! It checks signatures, and knows one pair of keys. Where it is laxer than AWS, a test that passes
//! here proves less: `If-None-Match` is no promise while two clients write at once, there are no
//! policies, sessions, encryption or versions, and any region is taken.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{connections::serve_each, data_directory::DataDirectory};

/// What callers sign with.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Keys {
    /// Their name.
    pub access_key_id: String,
    /// What is kept secret.
    pub secret_access_key: String,
}

impl std::fmt::Debug for S3Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Keys").finish_non_exhaustive()
    }
}

impl Default for S3Keys {
    /// Those of [`crate::shared_environment`].
    fn default() -> Self {
        Self {
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
        }
    }
}

/// A running server.
///
/// It stops when it is dropped: the port closes, open connections end, and the files are gone
/// unless they are in a directory of the caller's.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    // Ends before its files go.
    server: JoinHandle<()>,
    directory: DataDirectory,
    keys: Arc<Mutex<S3Keys>>,
}

impl S3Server {
    /// Starts on any free port of 127.0.0.1, with these buckets, in a directory that is removed
    /// with it.
    pub async fn start(buckets: &[&str]) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::start_on(address, None, buckets).await
    }

    /// Starts on an address, with what is in a directory and with these buckets.
    pub async fn start_on(
        address: SocketAddr,
        directory: Option<&Path>,
        buckets: &[&str],
    ) -> io::Result<Self> {
        let directory = DataDirectory::open(directory, "s3").map_err(|unusable| unusable.source)?;
        for bucket in buckets {
            fs::create_dir_all(directory.path().join(bucket))?;
        }
        let files = FileSystem::new(directory.path());
        let files = files.map_err(|error| io::Error::other(format!("{error:?}")))?;
        let keys = Arc::new(Mutex::new(S3Keys::default()));
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(Known(Arc::clone(&keys)));
        service.set_access(Buckets(directory.path().into()));
        let (listener, service) = (TcpListener::bind(address).await?, service.build());
        Ok(Self {
            address: listener.local_addr()?,
            server: tokio::spawn(serve_each(listener, move |stream| {
                serve_connection(stream, service.clone())
            })),
            directory,
            keys,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients take as their endpoint.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the files are: a folder for each bucket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Takes these keys from now on, and no others.
    pub fn set_keys(&self, keys: S3Keys) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// How many files there are of uploads in parts that were neither completed nor aborted.
    pub fn unfinished_uploads(&self) -> io::Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(self.directory.path())? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            count += usize::from(name.starts_with(".upload"));
        }
        Ok(count)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Knows one pair of keys.
struct Known(Arc<Mutex<S3Keys>>);

#[async_trait]
impl S3Auth for Known {
    async fn get_secret_key(&self, access_key_id: &str) -> S3Result<SecretKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.access_key_id == access_key_id {
            Ok(SecretKey::from(keys.secret_access_key.as_str()))
        } else {
            Err(s3_error!(InvalidAccessKeyId))
        }
    }
}

/// Refuses what is not signed, and objects of a bucket that is not there, which the files alone
/// would take.
struct Buckets(Box<Path>);

#[async_trait]
impl S3Access for Buckets {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        if let S3Path::Object { bucket, .. } = context.s3_path()
            && !self.0.join(&**bucket).is_dir()
        {
            return Err(s3_error!(NoSuchBucket));
        }
        Ok(())
    }
}

async fn serve_connection(stream: TcpStream, service: S3Service) {
    // One that refuses the option is closed, as serving it shows.
    let _ = stream.set_nodelay(true);
    // An error here is a client that went away; it sees that itself.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
