//! An upload → surveyed, on disk, synced. The file work is done on a thread
//! of its own, so that the runtime's thread never waits for the disk.

use std::io;

use axum::body::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use common::ledger::Ledger;

use crate::acceptance::{Acceptance, AcceptedImport, IdempotencyKey};
use crate::csv::{Conversion, Survey, SurveyError, Surveyed};
use crate::spool::{Received, Spool, Upload};

/// Pieces that may wait for the disk.
const PIECES_WAITING: usize = 4;

/// The upload was not accepted.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The file cannot be imported.
    #[error(transparent)]
    File(#[from] SurveyError),
    /// The disk is full, or something else is wrong with it.
    #[error("the upload cannot be stored: {0}")]
    Disk(#[from] io::Error),
    /// The idempotency key stands for an upload of another file.
    #[error("the idempotency key stands for another file")]
    KeyTaken,
    /// Whether the idempotency key is in use cannot be known.
    #[error("the ledger is away, and the upload has an idempotency key")]
    LedgerAway,
    /// The client went away, or the process is ending.
    #[error("the upload was cut off")]
    CutOff,
}

/// The piece of an upload that comes next; `None` is its end.
type Piece = Option<Bytes>;

/// An upload on its way to the disk. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Intake {
    pieces: mpsc::Sender<Piece>,
    stored: JoinHandle<Result<(Upload, Surveyed), IntakeError>>,
}

impl Intake {
    /// Begins an upload of a file of that many data records at most.
    pub fn begin(spool: Spool, max_rows: u64) -> Self {
        let (pieces, incoming) = mpsc::channel(PIECES_WAITING);
        let stored = tokio::task::spawn_blocking(move || store(&spool, max_rows, incoming));
        Self { pieces, stored }
    }

    /// Hands over the next piece. False when the upload has failed already;
    /// [`Intake::finish`] says why.
    pub async fn write(&self, piece: Bytes) -> bool {
        self.pieces.send(Some(piece)).await.is_ok()
    }

    /// The whole upload was handed over. When this gives an import, it is
    /// safe on disk. A client that hangs up meanwhile does not end it half
    /// way.
    pub async fn finish<L: Ledger>(
        self,
        file_name: Option<String>,
        key: Option<IdempotencyKey>,
        acceptance: Acceptance<L>,
    ) -> Result<AcceptedImport, IntakeError> {
        let accepting = tokio::spawn(async move {
            // Where this fails the task has ended, and says why.
            let _ = self.pieces.send(None).await;
            let (upload, surveyed) = self.stored.await.map_err(|_| IntakeError::CutOff)??;
            let received = Received {
                file_name,
                surveyed,
            };
            acceptance.accept(upload, received, key).await
        });
        accepting.await.map_err(|_| IntakeError::CutOff)?
    }
}

fn store(
    spool: &Spool,
    max_rows: u64,
    mut incoming: mpsc::Receiver<Piece>,
) -> Result<(Upload, Surveyed), IntakeError> {
    let mut upload = spool.begin()?;
    let mut conversion = Conversion::default();
    let mut survey = Survey::new(max_rows);
    while let Some(piece) = incoming.blocking_recv() {
        let _turn = spool.turn();
        let Some(data) = piece else {
            let text = conversion.end();
            survey.look(&text)?;
            upload.write(&[], &text)?;
            return Ok((upload, survey.finish()?));
        };
        let text = conversion.convert(&data);
        survey.look(&text)?;
        upload.write(&data, &text)?;
    }
    Err(IntakeError::CutOff)
}

#[cfg(test)]
mod tests {
    use common::ledger::{LedgerSlot, RedisLedger};
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_import_is_handed_on_though_its_client_hangs_up_before_the_answer() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let (accepted, mut imports) = mpsc::unbounded_channel();
        let intake = Intake::begin(spool.clone(), 10);
        let file = "name,governmentId,email,debtAmount,debtDueDate,debtId\na,1,b,2,c,3\n";
        assert!(intake.write(Bytes::from_static(file.as_bytes())).await);
        let acceptance = Acceptance::<RedisLedger> {
            spool: spool.clone(),
            ledger: LedgerSlot::default(),
            accepted,
        };
        let mut answer = Box::pin(intake.finish(None, None, acceptance));
        assert!((&mut answer).now_or_never().is_none(), "too early");
        drop(answer);
        let manifest = imports.recv().await.unwrap();
        assert_eq!(spool.unfinished().unwrap()[0].0, manifest);
    }
}
