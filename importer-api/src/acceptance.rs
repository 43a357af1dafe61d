//! A stored upload → an import: known to the ledger, and on its way. An
//! idempotency key makes the same upload the same import.

use std::io;
use std::time::Duration;

use common::ledger::{KeyedUpload, Ledger, LedgerError, LedgerSlot};
use common::runtime::TraceContext;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::csv::Surveyed;
use crate::import::Arrivals;
use crate::spool::{Manifest, Received, Spool, Upload};

/// How long an idempotency key stands for its upload.
pub(crate) const KEY_KEPT: Duration = Duration::from_hours(24);
/// Longest wait for the ledger to know an import before its client is
/// answered. This process makes it known in any case, before the first row,
/// where it alone has the file.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(1);
/// The same where any replica may carry it, and must learn of it from the
/// ledger.
const SHARED_REGISTER_TIMEOUT: Duration = Duration::from_secs(5);

/// When the ledger is asked whether it has learnt of an upload that was not
/// accepted: a call that was made for it has ended by then.
const TAKEN_BACK_AFTER: Duration = Duration::from_secs(30);

/// A stored upload did not become an import.
#[derive(Debug, Error)]
pub enum AcceptanceError {
    /// The disk is full, S3 does not answer, or something else is wrong with
    /// where the files are.
    #[error("the upload cannot be stored: {0}")]
    Disk(#[from] io::Error),
    /// The idempotency key belongs to an upload of another file.
    #[error("the idempotency key belongs to another file")]
    KeyTaken,
    /// Whether the idempotency key is in use cannot be known, or no replica
    /// would learn of the import.
    #[error("the ledger is unavailable, and the upload has an idempotency key or is for S3")]
    LedgerAway,
}

/// A client's name for an upload. The same name of another client is another
/// key.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// What the ledger knows it by: its hash, of bounded length and without
    /// anything that the client may have put into it.
    hash: String,
}

impl IdempotencyKey {
    /// Reads the header `Idempotency-Key`, 1 to 255 visible characters, of the
    /// client whose token has that SHA-256, if clients have tokens.
    pub fn read(header: &[u8], token: Option<[u8; 32]>) -> Option<Self> {
        let fits = (1..=255).contains(&header.len()) && header.iter().all(u8::is_ascii_graphic);
        fits.then(|| {
            let mut hash = Sha256::new();
            hash.update(token.as_ref().map_or(&[][..], |token| token));
            hash.update(header);
            Self {
                hash: hex::encode(hash.finalize()),
            }
        })
    }
}

/// Who uploads a file, and what that client says of it.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// The name of the file, fit to be shown.
    pub file_name: Option<String>,
    /// Its name for the upload.
    pub key: Option<IdempotencyKey>,
    /// Tells it from other clients; empty where clients have no tokens.
    pub client: String,
    /// The trace of the upload, if there is one.
    pub trace: Option<TraceContext>,
}

impl Sender {
    /// What the spool is told.
    pub(crate) fn received(self, surveyed: Surveyed) -> Received {
        Received {
            file_name: self.file_name,
            surveyed,
            client: self.client,
            key: self.key.map(|key| key.hash),
            trace: self.trace,
        }
    }
}

/// The answer to an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedImport {
    /// The import.
    pub import_id: Uuid,
    /// Its data records.
    pub rows: u64,
    /// An earlier upload with the same idempotency key made it.
    pub replayed: bool,
}

/// What it takes to make uploads imports.
#[derive(Clone, Debug)]
pub struct Acceptance<L> {
    /// The files.
    pub spool: Spool,
    /// Knows the keys and the imports.
    pub ledger: LedgerSlot<L>,
    /// Is told of the imports that are to be sent.
    pub arrivals: Arrivals,
}

impl<L: Ledger> Acceptance<L> {
    /// Makes an upload an import, unless its key says that it is one already.
    pub(crate) async fn accept(
        self,
        upload: Upload,
        surveyed: Surveyed,
        from: Sender,
    ) -> Result<AcceptedImport, AcceptanceError> {
        let (sha256, rows) = (upload.sha256(), surveyed.rows);
        if let Some(key) = &from.key {
            let earlier = self.ledger()?.keyed_upload(&key.hash).await;
            if let Some(earlier) = earlier.map_err(|error| away(&error))? {
                return self.replay(&earlier, &sha256, rows).await;
            }
        }
        let manifest = upload.commit(from.received(surveyed)).await?;
        if let Some(key) = &manifest.key
            && let Some(earlier) = self.claim(key, &manifest).await?
        {
            return self.replay(&earlier, &sha256, rows).await;
        }
        self.go_on(&manifest).await
    }

    /// Makes a preview an import. Its id makes it one import, however often that
    /// is asked for.
    pub(crate) async fn accept_preview(
        self,
        preview: Manifest,
        trace: Option<TraceContext>,
    ) -> Result<AcceptedImport, AcceptanceError> {
        let manifest = Manifest {
            accepted_at: Timestamp::now(),
            trace,
            ..preview
        };
        self.spool.accept_preview(&manifest).await?;
        self.go_on(&manifest).await
    }

    /// A preview that has become an import, whose client may not know.
    pub(crate) async fn accepted_preview(
        self,
        manifest: Manifest,
    ) -> Result<AcceptedImport, AcceptanceError> {
        self.hand_on(&manifest).await?;
        Ok(AcceptedImport {
            import_id: manifest.import_id,
            rows: manifest.rows,
            replayed: true,
        })
    }

    /// Goes on with what is an import by now.
    async fn go_on(&self, manifest: &Manifest) -> Result<AcceptedImport, AcceptanceError> {
        let rows = manifest.rows;
        self.hand_on(manifest).await?;
        info!(import_id = %manifest.import_id, rows, bytes = manifest.size, "File accepted");
        Ok(AcceptedImport {
            import_id: manifest.import_id,
            rows,
            replayed: false,
        })
    }

    /// Sees to it that an import is carried.
    async fn hand_on(&self, manifest: &Manifest) -> Result<(), AcceptanceError> {
        if self.register(manifest).await {
            self.arrivals.announce();
        } else if self.spool.is_shared() {
            self.take_back(manifest);
            return Err(AcceptanceError::LedgerAway);
        } else {
            self.arrivals.add_unknown([manifest.import_id]);
        }
        Ok(())
    }

    /// Of an upload that was not accepted nothing stays, unless the ledger has
    /// learnt of it and the answer was lost. A key may stand for its file, and its
    /// client may send that again, or bill the preview again.
    fn take_back(&self, manifest: &Manifest) {
        if manifest.key.is_some() || manifest.previewed {
            return;
        }
        let (spool, slot, import_id) =
            (self.spool.clone(), self.ledger.clone(), manifest.import_id);
        tokio::spawn(async move {
            loop {
                sleep(TAKEN_BACK_AFTER).await;
                let Some(ledger) = slot.get() else { continue };
                match ledger.import_status(import_id).await {
                    Ok(Some(_)) => return,
                    Ok(None) if spool.remove(import_id).await.is_ok() => return,
                    Ok(None) | Err(_) => {}
                }
            }
        });
    }

    /// Claims the key for an import that is stored, and removes the import
    /// where another upload has the key. Where the ledger does not answer, the
    /// import stays: the claim may have been made, and the key must not stand
    /// for a file that is gone. If the client uploads again after that, or
    /// after a crash, it gets this import.
    async fn claim(
        &self,
        key: &str,
        manifest: &Manifest,
    ) -> Result<Option<KeyedUpload>, AcceptanceError> {
        let own = KeyedUpload {
            import_id: manifest.import_id,
            sha256: manifest.sha256.clone(),
        };
        let standing = match self.ledger()?.claim_key(key, &own, KEY_KEPT).await {
            Ok(standing) if standing != own => standing,
            Ok(_) => return Ok(None),
            Err(error) if self.spool.is_shared() => return Err(away(&error)),
            Err(error) => {
                warn!(import_id = %own.import_id, %error, "An idempotency key may not be kept");
                return Ok(None);
            }
        };
        self.spool.remove(own.import_id).await?;
        Ok(Some(standing))
    }

    /// Gives whether the ledger knows the import now.
    async fn register(&self, manifest: &Manifest) -> bool {
        let Ok(ledger) = self.ledger() else {
            return false;
        };
        let import = manifest.to_import(self.spool.name());
        let limit = if self.spool.is_shared() {
            SHARED_REGISTER_TIMEOUT
        } else {
            REGISTER_TIMEOUT
        };
        match timeout(limit, ledger.register_import(&import)).await {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => debug!(%error, "The import is made known later"),
            Err(_) => debug!("The import is made known later"),
        }
        false
    }

    /// The import that an earlier upload with the key has become. The ledger
    /// may not have learnt of that one before its client was told to try again.
    async fn replay(
        &self,
        earlier: &KeyedUpload,
        sha256: &str,
        rows: u64,
    ) -> Result<AcceptedImport, AcceptanceError> {
        if earlier.sha256 != sha256 {
            return Err(AcceptanceError::KeyTaken);
        }
        if self.spool.is_shared()
            && let Some(manifest) = self.spool.manifest_of(earlier.import_id).await?
        {
            self.hand_on(&manifest).await?;
        }
        info!(import_id = %earlier.import_id, "Upload replayed by its idempotency key");
        Ok(AcceptedImport {
            import_id: earlier.import_id,
            rows,
            replayed: true,
        })
    }

    fn ledger(&self) -> Result<&L, AcceptanceError> {
        self.ledger.get().ok_or(AcceptanceError::LedgerAway)
    }
}

fn away(error: &LedgerError) -> AcceptanceError {
    warn!(%error, "An idempotency key cannot be looked up");
    AcceptanceError::LedgerAway
}

#[cfg(test)]
mod tests {
    use testkit::{CsvFile, FaultPlan, MemoryLedger};

    use super::*;
    use crate::csv::Survey;

    async fn stored(spool: &Spool) -> (Upload, Surveyed) {
        let file = CsvFile::new().valid_rows(2).bytes();
        let mut survey = Survey::new(10);
        survey.look(&file).unwrap();
        let mut upload = spool.begin().await.unwrap();
        upload.write(&file, &file).unwrap();
        (upload, survey.finish().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_never_stands_for_a_file_that_is_gone() {
        for seed in 0..300 {
            let dir = tempfile::tempdir().unwrap();
            let acceptance = Acceptance {
                spool: Spool::open(dir.path()).unwrap(),
                ledger: LedgerSlot::default(),
                arrivals: Arrivals::default(),
            };
            let ledger = MemoryLedger::default().with_faults(FaultPlan::new(seed));
            acceptance.ledger.put(&ledger);
            // A client that uploads until it has its yes, and once more.
            let mut answers = 0;
            while answers < 2 {
                let (upload, surveyed) = stored(&acceptance.spool).await;
                let from = Sender {
                    key: IdempotencyKey::read(b"key", None),
                    ..Sender::default()
                };
                let answer = acceptance.clone().accept(upload, surveyed, from).await;
                if let Ok(import) = answer {
                    let manifest = acceptance.spool.manifest_of(import.import_id).await;
                    let manifest = manifest.unwrap();
                    assert!(manifest.is_some(), "seed {seed}: {import:?}");
                    answers += 1;
                }
            }
        }
    }

    #[test]
    fn a_key_is_1_to_255_visible_characters() {
        let read = |header: &[u8]| IdempotencyKey::read(header, None);
        assert!(read(b"a-1_~").is_some());
        assert!(read(&[b'x'; 255]).is_some());
        for bad in [&b""[..], b"a b", b"\xc3\xa9", b"a\n", &[b'x'; 256]] {
            assert!(read(bad).is_none());
        }
    }

    #[test]
    fn a_key_is_kept_by_its_own_hash_where_there_are_no_tokens() {
        let hash = |token| IdempotencyKey::read(b"key", token).unwrap().hash;
        // `printf key | sha256sum`: what earlier versions kept is still found.
        let plain = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
        assert_eq!(hash(None), plain);
        let tokens = [b"one", b"two"].map(|token| Some(Sha256::digest(token).into()));
        assert_eq!(hash(tokens[0]), hash(tokens[0]));
        assert_ne!(hash(tokens[0]), hash(tokens[1]));
        assert_ne!(hash(tokens[0]), plain);
    }
}
